"""One mutant through the real client: without specspan, observed and enforced, with what its span says."""

from __future__ import annotations

import asyncio
import atexit
import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from enforcement_output import Output, Place
from enforcement_policies import policy_file
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from walk_bodies import MUTANT
from walk_places import is_metadata
from walk_subjects import Subject

from specspan._support import drop_counts
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate, active
from specspan.policy.load import load_policy
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

ABSENT = "xylophone-quarry"
"""A word that stands in no body."""


@dataclass
class Handed(Output):
    """Output that keeps how each value that was handed over looks, to the last field."""

    values: list[str] = field(default_factory=list)
    objects: list[Any] = field(default_factory=list)
    """The values whose texts were not read yet: of most runs they are never asked for."""

    def take(self, value: Any) -> None:
        """Add one chunk or answer."""
        self.objects.append(value)
        self.values.append(f"{type(value).__qualname__} {_shown(value)}")

    @property
    def places(self) -> dict[Place, str]:
        """Return the text at each place, joined over the chunks."""
        for value in self.objects:
            super().take(value)
        self.objects.clear()
        return super().places

    def has(self, text: str, *, is_spread: bool = False) -> bool:
        """Return whether a text came out, also in values that an error names when it is asked for them."""
        named = getattr(self.error, "errors", None)
        return super().has(text, is_spread=is_spread) or (callable(named) and text in str(named()))

    @property
    def error_shown(self) -> tuple[str, str] | None:
        """Return the type and the message of the error that ended the call."""
        return None if self.error is None else (type(self.error).__qualname__, str(self.error))


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # some clients' models cannot show what they were made from
        return f"{type(error).__qualname__}: {vars(value)!r:.2000}"


@dataclass
class Run:
    """One call of the client, and its record."""

    handed: Handed
    spans: tuple[Mapping[str, Any], ...] = ()
    """The attributes of each span."""
    failures: tuple[str, ...] = ()
    """The places in which specspan failed."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """Return the attributes of the one span."""
        return self.spans[0] if len(self.spans) == 1 else {}

    @property
    def verdict(self) -> str | None:
        """Return the verdict on the call."""
        return self.facts.get("specspan.decision.verdict")

    @property
    def is_blocked(self) -> bool:
        """Return whether the policy stopped the call."""
        return type(self.handed.error).__name__ == "Blocked"


class _Kept(SpanProcessor):
    """Span processor that keeps the spans of one call."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span that ended."""
        self.spans.append(span)


class Watch:
    """Pipeline in memory, for many calls one after the other."""

    def __init__(self, pipeline: Pipeline, kept: _Kept) -> None:
        self._pipeline = pipeline
        self._kept = kept

    def run(self, subject: Subject, pieces: tuple[bytes, ...], turn: int = 0) -> Run:
        """Return one call, with what was recorded of it."""
        self._kept.spans.clear()
        before = _failures()
        outside = active()
        activate(self._pipeline)
        try:
            handed = ask(subject, pieces, turn)
        finally:
            activate(outside)
        failures = tuple(place for place, count in _failures().items() if count > before.get(place, 0))
        return Run(handed, tuple(dict(span.attributes or {}) for span in self._kept.spans), failures)


def _failures() -> dict[str, int]:
    return {reason: count for (kind, reason), count in drop_counts.totals().items() if kind == "internal"}


@contextmanager
def pipeline(mode: str, *words: str, on_unread: str = "open") -> Iterator[Watch]:
    """Yield calls under a policy that forbids these words and fails closed."""
    kept = _Kept()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(kept)
    recorder = Recorder(Settings(digest_key=b"key"), tracer_provider=provider)
    try:
        yield Watch(Pipeline(recorder, _engine(mode, words, on_unread)), kept)
    finally:
        recorder.shutdown()
        provider.shutdown()


@cache
def _engine(mode: str, words: tuple[str, ...], on_unread: str) -> Engine:
    clause = {"on_unread": on_unread, "on_error": "closed"}
    path = policy_file("block", clause, {"any": [re.escape(word) for word in words]}, mode)
    return Engine(load_policy(path))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all calls: clients are made once."""
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    atexit.register(lambda: loop.run_until_complete(loop.shutdown_asyncgens()))  # first: the last is called first
    return loop


def ask(subject: Subject, pieces: tuple[bytes, ...], turn: int = 0) -> Handed:
    """Return everything that one call handed over; ``turn`` chooses how the client is asked."""
    handed = Handed()
    mode = subject.modes[turn % len(subject.modes)]
    try:
        asked = mode(subject.service(pieces), handed)
        if inspect.isawaitable(asked):
            _loop().run_until_complete(asked)
    except Exception as error:
        handed.error = error
    return handed


def forbidden_word(subject: Subject, pieces: tuple[bytes, ...]) -> str | None:
    """Return a word of an answer that a policy can read in it; None where there is none."""
    for word in _words(subject, ask(subject, pieces)):
        with pipeline("enforce", word) as watch:
            if watch.run(subject, pieces).is_blocked:
                return word
    return None


def _words(subject: Subject, handed: Handed) -> list[str]:
    """Return long words that stand in one text of the answer, and in no other."""
    names = _TEXTS if subject.is_stream else (*_TEXTS, *_ARGUMENTS)  # pieces of a streamed tool call may pass
    texts = {
        place: text
        for place, text in handed.places.items()
        if place and (place[-1] in (*names, *_REASONING) or is_metadata(place))
    }
    found: dict[str, None] = {}
    for text in (text for place, text in texts.items() if place[-1] in names):
        words = sorted(set(re.findall(r"[A-Za-z]{4,}", text)) - {MUTANT}, key=lambda word: (-len(word), word))
        found.update(dict.fromkeys(word for word in words[:6] if sum(word in each for each in texts.values()) == 1))
    return list(found)[:12]


_TEXTS = ("text", "content", "generation", "outputText", "completion", "refusal", "response")
_REASONING = ("thinking", "reasoning", "reasoning_content", "reasoningContent")
_ARGUMENTS = ("arguments", "partial_json", "city", "location", "query")
