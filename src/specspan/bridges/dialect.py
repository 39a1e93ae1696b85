"""Recorded spans and the dialects that read them as model calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from specspan._support import plugins
from specspan.call import ModelCall
from specspan.record.conventions import RESPONSE_ID

Attributes: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """Event of a span, or a log record that belongs to one."""

    name: str
    attributes: Attributes = field(default_factory=dict)
    body: Any = None
    """Body of a log record, of any type."""


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """Ended span, with events and content recorded beside it."""

    attributes: Attributes
    scope: str = ""
    """Name of the instrumentation scope that made the span."""
    events: tuple[Event, ...] = ()
    failed: bool = False
    """True if the span's status is an error."""
    max_chars: int | None = None
    """Length in characters at which the provider truncates texts; None if it does not."""
    dropped: bool = False
    """True if the provider dropped attributes because there were too many."""


def response_id(span: RecordedSpan) -> str | None:
    """Return the response's id under the conventions' attribute."""
    identifier = span.attributes.get(RESPONSE_ID)
    return identifier if isinstance(identifier, str) else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """Pure functions that read a model call in the form in which one library records it."""

    name: str
    """Name that is recorded with every decision about such a call."""
    matches: Callable[[RecordedSpan], bool]
    """Returns whether a span is in this dialect, from few attributes: it is called as the span ends."""
    read: Callable[[RecordedSpan], ModelCall | None]
    """Returns the call with its gaps, or None if the span is not that of a model call."""
    duration_s: Callable[[RecordedSpan], float | None] = lambda _: None
    """Returns the duration of the call in seconds, or None if it is that of the span."""
    call_id: Callable[[RecordedSpan], str | None] = response_id
    """Returns an id that spans about the same call share."""
    general: bool = False
    """True if many libraries use this dialect: it is tried after the special ones."""


_PACKAGE = "specspan.bridges.dialects"
_PLUGINS = "specspan_dialects"


def iter_dialects() -> Iterator[Dialect]:
    """Yield all dialects: first those of installed plug-ins, which take precedence, then those of this package."""
    for _, plugin in plugins.iter_plugins(_PLUGINS):
        yield plugin.DIALECT
    for module in plugins.iter_modules(_PACKAGE):
        yield module.DIALECT
