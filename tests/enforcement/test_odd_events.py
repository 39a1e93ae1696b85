"""Bodies and events that are lists or texts where an object should be: they may have been anything, a tool call too."""

from __future__ import annotations

from typing import Any

import pytest
from enforcement_http import Service
from enforcement_policies import policy_file
from enforcement_runner import call, decisions_of
from enforcement_table import wire_of
from enforcement_ways_all import WIRES

import specspan
from specspan.testing import recorded

pytestmark = pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")  # Google's client says so of itself
ODD = "an odd word"
SHAPES: dict[str, Any] = {"list": lambda each: [each], "texts": lambda _: [ODD], "text": lambda _: ODD}
"""What comes in place of an object."""
NO_TOOLS = {"checks": [{"tools": {"deny": ["forbidden_tool"]}}]}
"""A clause that needs the tool calls of an answer, and none of its texts."""
WAYS = [
    (wire, mode, shape)
    for wire in WIRES
    for mode in (*wire_of(wire).plain_modes[:1], *wire_of(wire).stream_modes[:1])
    for shape in SHAPES
]


def _asked(wire: str, mode: str, shape: str, text: str = "fine") -> Any:
    """Return what a client hands over of an answer that is of another shape in whole or, streamed, in one event."""
    format_ = wire_of(wire)
    sends: Any = SHAPES[shape](format_.answer(text))
    if is_streamed := mode in format_.stream_modes:
        first, *rest = format_.stream(text)
        sends = (first, SHAPES[shape](rest[0]), *rest)
    return call(format_.modes[mode], Service(format_.encode(sends), is_streamed), {})


@pytest.mark.parametrize(("wire", "mode", "shape"), WAYS)
def test_a_check_of_tool_calls_says_that_an_odd_event_was_not_understood(wire: str, mode: str, shape: str) -> None:
    """Where the client hands it over; a client that raises or leaves an event out hands over what came before."""
    alone = _asked(wire, mode, shape)
    is_handed_over = alone.error is None and (alone.has(ODD) or "list" in alone.kinds or _is_list_in(alone))
    with recorded(policy_file("openblock", NO_TOOLS, {})) as record:
        given = _asked(wire, mode, shape)
        (decision,) = decisions_of(record)
    assert (given.chunks, type(given.error)) == (alone.chunks, type(alone.error))
    assert decision["verdict"] == "unassessed"
    assert ({each["reason"] for each in decision["findings"]} == {"content_not_understood"}) is is_handed_over


def _is_list_in(given: Any) -> bool:
    """Return whether the JSON of bytes that were handed over is a list, or that of a piece of them."""
    return any(place[:2] == ("json", 0) or place[:1] == (0,) for place in given.places)


@pytest.mark.parametrize(("wire", "mode", "shape"), [each for each in WAYS if each[2] == "texts"])
def test_an_odd_event_stops_a_stream_whose_clause_closes_on_what_is_not_read(wire: str, mode: str, shape: str) -> None:
    """Nothing of it is handed over."""
    alone = _asked(wire, mode, shape)
    with recorded(policy_file("block", NO_TOOLS, {})) as record:
        given = _asked(wire, mode, shape)
        (decision,) = decisions_of(record)
    if alone.error is None and alone.has(ODD):
        assert isinstance(given.error, specspan.Blocked)
        assert not given.has(ODD)
        assert (decision["verdict"], decision["action"]) == ("unassessed", "block")


@pytest.mark.parametrize(("wire", "mode", "shape"), WAYS)
def test_the_words_of_an_odd_event_are_read(wire: str, mode: str, shape: str) -> None:
    """A clause about words holds for them, whatever they stand in."""
    alone = _asked(wire, mode, shape, "fine and odd")
    with recorded(policy_file("block", {"on_unread": "open"}, {"any": ["odd"]})) as record:
        given = _asked(wire, mode, shape, "fine and odd")
        (decision,) = decisions_of(record)
    if alone.has("odd"):
        assert isinstance(given.error, specspan.Blocked)
        assert not given.has("odd")
        assert decision["verdict"] == "violated"
