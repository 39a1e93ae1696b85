"""What is recorded, and how much of it: read once, from the environment or from code."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from specspan.record.conventions import Generation

_log = logging.getLogger("specspan")
_Word = TypeVar("_Word", bound=Enum)


class Content(str, Enum):
    """Where prompts, answers and explanations are recorded."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    """On log records, where a logger provider is configured."""
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """Whether spans carry content."""
        return self is Content.SPAN_ONLY or self is Content.SPAN_AND_EVENT

    @property
    def on_events(self) -> bool:
        """Whether log records carry content."""
        return self is Content.EVENT_ONLY or self is Content.SPAN_AND_EVENT


class FindingEvents(str, Enum):
    """Which findings become events of the span."""

    NONE = "none"
    VIOLATIONS = "violations"
    """Those that did not comply: violated, uncertain and error."""
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a `specspan.record.recorder.Recorder` records."""

    generation: Generation = Generation.CURRENT
    """``SPECSPAN_SEMCONV``"""
    content: Content = Content.NO_CONTENT
    """``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``"""
    finding_events: FindingEvents = FindingEvents.VIOLATIONS
    """``SPECSPAN_FINDING_EVENTS``"""
    violations_are_errors: bool = False
    """``SPECSPAN_VIOLATIONS_ARE_ERRORS``: a flagged violation sets the span's status to ERROR, too."""
    queue_size: int = 16_384
    """``SPECSPAN_QUEUE_SIZE``: decisions waiting for one exporter before further ones are dropped and counted."""
    batch_size: int = 512
    """Decisions handed to an exporter at once; that many waiting wake its thread early."""
    interval_s: float = 0.5
    """The longest a decision waits for its batch to fill."""
    retry_delays_s: tuple[float, ...] = (0.1, 0.5, 2.0)
    """Waits between attempts to hand over one batch; after the last attempt it is dropped and counted."""
    digest_key: bytes | None = None
    """``SPECSPAN_DIGEST_KEY``: key of content digests. None: a random one, so digests compare within a process only."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Settings from the environment. A value that is none of the known ones is logged and ignored."""
        key = environ.get("SPECSPAN_DIGEST_KEY")
        return cls(
            generation=_word(environ, "SPECSPAN_SEMCONV", cls().generation),
            content=_word(environ, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", cls().content),
            finding_events=_word(environ, "SPECSPAN_FINDING_EVENTS", cls().finding_events),
            violations_are_errors=environ.get("SPECSPAN_VIOLATIONS_ARE_ERRORS", "").strip().lower() in ("1", "true"),
            queue_size=_size(environ, "SPECSPAN_QUEUE_SIZE", cls().queue_size),
            digest_key=key.encode("utf-8", "surrogateescape") if key else None,
        )


def _word(environ: Mapping[str, str], name: str, default: _Word) -> _Word:
    value = environ.get(name, "").strip()
    for word in type(default):
        if value.lower() == word.value.lower():
            return word
    if value:
        known = ", ".join(word.value for word in type(default))
        _log.warning("%s=%r is none of %s; %s is used", name, value, known, default.value)
    return default


def _size(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip()
    if value.isdecimal() and int(value) > 0:
        return int(value)
    if value:
        _log.warning("%s=%r is no positive number; %d is used", name, value, default)
    return default
