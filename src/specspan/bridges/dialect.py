"""What somebody else recorded of a call, and what a dialect is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from specspan._support import plugins
from specspan.call import ModelCall

Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a span, or a log record that belongs to one."""

    name: str
    attributes: Facts = field(default_factory=dict)
    body: Any = None
    """Of a log record: its own, of whatever shape."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An ended span, with what was logged or handed over beside it."""

    attributes: Facts
    scope: str = ""
    """Whose span it is: the name of the instrumentation scope."""
    events: tuple[Event, ...] = ()
    failed: bool = False
    """The span's status is an error."""
    longest: int | None = None
    """Characters at which its provider cuts the texts of attributes; None where it does not."""
    dropped: bool = False
    """Its provider dropped attributes, as it had too many."""


def response_id(recorded: Recorded) -> str | None:
    """The id of the answer, as the conventions name it."""
    found = recorded.attributes.get("gen_ai.response.id")
    return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """One way to tell of a model call. Pure functions: nothing here knows a span or a policy."""

    name: str
    """As it is recorded with every decision about such a call."""
    speaks: Callable[[Recorded], bool]
    """Whether a span is in this dialect, told by a look at a few attributes: it is asked as the span ends."""
    read: Callable[[Recorded], ModelCall | None]
    """The call, with its gaps; None where the span, though in this dialect, is not that of a model call."""
    lasted_s: Callable[[Recorded], float | None] = lambda _: None
    """How long the call took, where the span does not tell by how long it lasted."""
    call_id: Callable[[Recorded], str | None] = response_id
    """What spans have in common that tell of one call, side by side."""
    general: bool = False
    """Asked after all that are not: many others speak it, too."""


_PACKAGE = "specspan.bridges.dialects"
_PLUGINS = "specspan_dialects"


def dialects() -> Iterator[Dialect]:
    """Others' first: who adds one knows better."""
    for _, plugin in plugins.iter_plugins(_PLUGINS):
        yield plugin.DIALECT
    for module in plugins.iter_modules(_PACKAGE):
        yield module.DIALECT
