"""Settings of the recorder, from the environment or from code."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from specspan.record.conventions import Generation

_log = logging.getLogger("specspan")
_Choice = TypeVar("_Choice", bound=Enum)


class Content(str, Enum):
    """Places where prompts, answers and explanations are recorded."""

    NO_CONTENT = "NO_CONTENT"
    SPAN_ONLY = "SPAN_ONLY"
    EVENT_ONLY = "EVENT_ONLY"
    """On log records, where a logger provider is configured."""
    SPAN_AND_EVENT = "SPAN_AND_EVENT"

    @property
    def on_spans(self) -> bool:
        """True where spans carry content."""
        return self is Content.SPAN_ONLY or self is Content.SPAN_AND_EVENT

    @property
    def on_events(self) -> bool:
        """True where log records carry content."""
        return self is Content.EVENT_ONLY or self is Content.SPAN_AND_EVENT


class FindingEvents(str, Enum):
    """Findings that become events of the span, and log records."""

    NONE = "none"
    VIOLATIONS = "violations"
    """Findings that did not comply: violated, uncertain and error; as log records also overridden and pending."""
    ALL = "all"
    """As events every finding, as log records every one that applied; and their clauses as an attribute of the span."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a `specspan.record.recorder.Recorder`."""

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
        """Return the settings in the environment. An invalid value is logged and ignored."""
        key = environ.get("SPECSPAN_DIGEST_KEY")
        return cls(
            generation=_choice(environ, "SPECSPAN_SEMCONV", cls().generation),
            content=_choice(environ, "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", cls().content),
            finding_events=_choice(environ, "SPECSPAN_FINDING_EVENTS", cls().finding_events),
            violations_are_errors=environ.get("SPECSPAN_VIOLATIONS_ARE_ERRORS", "").strip().lower() in ("1", "true"),
            queue_size=_size(environ, "SPECSPAN_QUEUE_SIZE", cls().queue_size),
            digest_key=key.encode("utf-8", "surrogateescape") if key else None,
        )


def _choice(environ: Mapping[str, str], name: str, default: _Choice) -> _Choice:
    value = environ.get(name, "").strip()
    for choice in type(default):
        if value.lower() == choice.value.lower():
            return choice
    if value:
        known = ", ".join(choice.value for choice in type(default))
        _log.warning("invalid %s=%r: write one of %s; %s is used", name, value, known, default.value)
    return default


def _size(environ: Mapping[str, str], name: str, default: int) -> int:
    value = environ.get(name, "").strip()
    if value.isdecimal() and int(value) > 0:
        return int(value)
    if value:
        _log.warning("invalid %s=%r: write a positive number; %d is used", name, value, default)
    return default
