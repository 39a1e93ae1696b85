"""Rows of the enforcement table: one way to carry text past a check, one provider, one mode, one action.

A `Way` is data. It says what the fake service sends, in which modes the client is called, what may come out and what
the record must say. A module ``tests/support/enforcement_ways_<wire>.py`` with ``WAYS`` is found by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from installed import is_elsewhere

WORD = "FORBIDDEN"
"""The text that the policy forbids."""
BEFORE = "Before it. "
"""Allowed text that stands in front of the forbidden text."""
AFTER = " After it."
"""Allowed text that stands behind the forbidden text."""

ACTIONS = ("block", "redact", "replace")
_EVERY_ACTION = ("openai_chat", "anthropic")
"""Wire formats whose ways are run under every action; the others share the code that edits."""
LEAKS = Path(__file__).parents[1] / "enforcement" / "leaks.yaml"


@dataclass(frozen=True)
class Way:
    """One way in which an answer can carry text past a check."""

    id: str
    part: int
    """The part of the issue on enforcement that the way belongs to."""
    wire: str
    """The wire format: ``tests/support/enforcement_wire_<wire>.py``."""
    sends: Any
    """A whole body, or a tuple of the events of a stream."""
    modes: tuple[str, ...] = ()
    """How the client is called. Empty: sync under every action, async under the first one."""
    actions: tuple[str, ...] = ACTIONS
    """``block``, ``redact`` and ``replace`` with ``on_error: closed``; ``openblock`` with ``on_error: open``."""
    forbidden: str | None = WORD
    """The text that must not come out, as the service writes it; None where nothing is forbidden."""
    before: str | None = BEFORE
    """Text that must come out under every action of a stream, and when a whole answer is edited."""
    after: str | None = None
    """Text that must not come out once a stream was cut."""
    verdicts: tuple[str, ...] = ("violated",)
    """Verdicts that are true. ``violated`` wherever the text can be read."""
    is_edited: bool | None = True
    """False where the text cannot be rewritten, so that every action stops the call; None where both may be done."""
    is_tool: bool = False
    """True where the text is in a tool call. On a stream its pieces pass, and the end that completes the call waits."""
    is_spread: bool = False
    """True where the text is forbidden only when neighbouring parts are read joined."""
    request: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the call beside those of every call."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers of the answer."""
    clause: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the clause in the policy, in place of those of every clause or beside them."""
    pattern: Mapping[str, Any] = field(default_factory=dict)
    """Keys of the pattern check beside those of every check."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Attributes of the span: a value, None for an attribute that must be absent, ``...`` for any value."""
    raises: str | None = None
    """The error that the client itself raises for such an answer."""
    reason: str = "word"
    """The reason that the decision has where the verdict is ``violated``."""
    is_door: bool = False
    """True where the application reads below a watched stream: watched or refused, both hold."""

    @property
    def is_stream(self) -> bool:
        """Return whether the service sends a stream of events."""
        return isinstance(self.sends, tuple)


@dataclass(frozen=True)
class Row:
    """One call of the table: a way, how the client is called, and what the policy does."""

    way: Way
    mode: str
    action: str
    leaks: str | None = None
    """Why the row does not hold yet; None where it must hold."""

    @property
    def id(self) -> str:
        """Return the name of the row for ``pytest -k``."""
        return f"{self.way.wire}-p{self.way.part:02d}-{self.way.id}-{self.mode}-{self.action}"


@dataclass(frozen=True)
class WireFormat:
    """One wire format: how its answers are written, and the real client's ways to ask for one."""

    provider: str
    """The name that `specspan.instrument` knows."""
    encode: Callable[[Any], tuple[bytes, ...]]
    """Return the bytes of a body, or one piece of bytes for each event of a stream."""
    modes: Mapping[str, Callable[..., Any]]
    """``ask(service, output, request)`` for each mode, a coroutine function where the client is awaited."""
    answer: Callable[[str], Any]
    """Return the body of an answer with this text."""
    stream: Callable[..., tuple[Any, ...]]
    """Return the events of an answer whose text comes in these pieces."""
    is_text: Callable[[tuple[Any, ...]], bool] = lambda place: "content" in place[-1:]
    """Return whether the text of a streamed answer stands at a place of `Output`."""
    choices: Callable[[Sequence[tuple[int, str]]], tuple[Any, ...]] | None = None
    """Return the events of an answer with several choices, whose texts come in these pieces; None where one is all."""
    plain_modes: tuple[str, ...] = ("plain", "async")
    stream_modes: tuple[str, ...] = ("stream", "async_stream")
    more_plain_modes: tuple[str, ...] = ()
    """Further modes that hand over a whole answer."""
    more_stream_modes: tuple[str, ...] = ()
    """Further modes that hand over the answer piece by piece."""


def wire_of(name: str) -> WireFormat:
    """Return the wire format of this name."""
    wire: WireFormat = import_module(f"enforcement_wire_{name}").WIRE
    return wire


def ways() -> Iterator[Way]:
    """Yield every way of every wire format whose client is installed here."""
    for path in sorted(Path(__file__).parent.glob("enforcement_ways_*.py")):
        try:
            found = import_module(path.stem)
        except ModuleNotFoundError as error:
            if not is_elsewhere(error):
                raise
            continue
        yield from found.WAYS


def rows() -> list[Row]:
    """Return every row of the table, with the reason of those that do not hold yet."""
    leaks = _leaks()
    return [row for way in ways() for row in _rows(way, leaks.get(f"{way.wire}-p{way.part:02d}-{way.id}") or {})]


@cache
def _leaks() -> Mapping[str, Mapping[str, Any]]:
    """Return the rows that do not hold yet; they are read once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    read: Mapping[str, Mapping[str, Any]] = yaml.load(LEAKS.read_text(encoding="utf-8"), Loader=loader) or {}
    return read


def cases(table: str, names: Iterable[str], raises: type[BaseException]) -> list[Any]:
    """Return a pytest parameter for each case of a table, strictly failing where it does not hold yet."""
    leaks = _leaks().get(table) or {}

    def param(name: str) -> Any:
        is_leak = name in leaks
        marks = [pytest.mark.xfail(strict=True, raises=raises, reason=leaks[name])] if is_leak else []
        return pytest.param(name, id=f"{table}-{name}", marks=marks)

    return [param(name) for name in names]


def _rows(way: Way, leaks: Mapping[str, Any]) -> Iterator[Row]:
    wire = wire_of(way.wire)
    modes = way.modes or (wire.stream_modes if way.is_stream else wire.plain_modes)
    actions = way.actions
    if way.wire not in _EVERY_ACTION and way.part:
        left_out = ("redact", "replace") if way.part == 1 else ("replace",)
        actions = tuple(each for each in actions if each not in left_out)
    for mode in modes:
        for action in actions if way.modes or mode == modes[0] else actions[:1]:
            yield Row(way, mode, action, leaks.get(f"{mode}-{action}"))
