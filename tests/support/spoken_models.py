"""A model that is a function of our own, in every form that a function can have."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any

from policies import bound, pattern, policy

from specspan.decision import Action, Mode, Stage
from specspan.instrument.decorators import observe
from specspan.policy.policy import Policy

SECRET = r"\d{3}-\d{2}-\d{4}"


def clause(action: Action, stage: Stage = Stage.OUTPUT, mode: Mode = Mode.ENFORCE) -> Policy:
    return policy(
        bound("privacy", pattern(SECRET, stage=stage, reason="ssn"), action=action, replacement="(withheld)"),
        mode=mode,
    )


class Model:
    """The same model in every form a function can have; it says what it is told to, word by word."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.heard: list[Any] = []
        self.cleaned_up = 0

    @observe(model="parrot", provider="zoo")
    def plain(self, *heard: Any, **more: Any) -> str:
        self.heard += [*heard, *more.values()]
        return "".join(self.words)

    @observe(model="parrot", provider="zoo")
    async def later(self, *heard: Any, **more: Any) -> str:
        self.heard += [*heard, *more.values()]
        await asyncio.sleep(0)
        return "".join(self.words)

    @observe(model="parrot", provider="zoo")
    def stream(self, *heard: Any, **more: Any) -> Generator[str, Any, str]:
        self.heard += [*heard, *more.values()]
        try:
            yield from self.words
            return "result"
        finally:
            self.cleaned_up += 1

    @observe(model="parrot", provider="zoo")
    async def stream_later(self, *heard: Any, **more: Any) -> AsyncGenerator[str, Any]:
        self.heard += [*heard, *more.values()]
        try:
            for word in self.words:
                await asyncio.sleep(0)
                yield word
        finally:
            self.cleaned_up += 1


Say = Callable[..., str]


def say_plain(model: Model, *heard: Any, **more: Any) -> str:
    return model.plain(*heard, **more)


def say_later(model: Model, *heard: Any, **more: Any) -> str:
    return asyncio.run(model.later(*heard, **more))


def say_stream(model: Model, *heard: Any, **more: Any) -> str:
    return "".join(model.stream(*heard, **more))


def say_stream_later(model: Model, *heard: Any, **more: Any) -> str:
    async def read() -> str:
        return "".join([word async for word in model.stream_later(*heard, **more)])

    return asyncio.run(read())
