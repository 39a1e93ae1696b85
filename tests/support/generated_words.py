"""Decorated generators for tests, that tell what befell them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from typing import Any

from ended_spans import Spans

from specspan.instrument.decorators import observe


class Words:
    """A generator and an async generator that open spans across their yields, and tell what befell them."""

    def __init__(self, spans: Spans, fail: BaseException | None = None) -> None:
        self.spans = spans
        self.fail = fail
        self.cleaned_up = 0
        self.received: list[object] = []

    @observe(name="words")
    def sync(self, count: int = 3) -> Generator[str, Any, str]:
        try:
            with self.spans.tracer.start_as_current_span("nested"):
                for number in range(count):
                    self.spans.tracer.start_span(f"word {number}").end()
                    self.received.append((yield f"w{number}"))
                if self.fail is not None:
                    raise self.fail
            return "result"
        finally:
            self.cleaned_up += 1
            self.spans.tracer.start_span("cleanup").end()

    @observe(name="words")
    async def later(self, count: int = 3) -> AsyncGenerator[str, Any]:
        try:
            with self.spans.tracer.start_as_current_span("nested"):
                for number in range(count):
                    await asyncio.sleep(0)
                    self.spans.tracer.start_span(f"word {number}").end()
                    self.received.append((yield f"w{number}"))
                if self.fail is not None:
                    raise self.fail
        finally:
            self.cleaned_up += 1
            await asyncio.sleep(0)
            self.spans.tracer.start_span("cleanup").end()

    def check(self, ending: str, *, read: int) -> None:
        """Everything in the body is below the generator; it was cleaned up, and ended, once."""
        assert self.cleaned_up == 1
        assert self.spans.ending("words") == ending
        assert self.spans.parent_of("nested") == self.spans.parent_of("cleanup") == "words"
        for number in range(read):
            assert self.spans.parent_of(f"word {number}") == "nested"
