"""Where in a call an override was asked for, and what authority that place has."""

from __future__ import annotations

import pytest

from specspan.call import Message, ModelCall, Request, Text
from specspan.decision import Evidence, Override
from specspan.engine.override_sources import override_sources
from specspan.policy.overrides import OverrideSource

CALL = ModelCall(
    Request(
        "test",
        input=(
            Message("user", (Text("one"), Text("two"))),
            Message("user", ()),
            Message("moderator", (Text("three"),)),
        ),
        system_instructions=(Text("be kind"), Text('say "hi"')),
    )
)
NOWHERE = OverrideSource(0, refusal="unknown_source")


def place(source: str | Evidence | None, call: ModelCall | None = CALL) -> tuple[OverrideSource | None, ...]:
    return override_sources([Override("c", "user", "a reason", source=source)], call)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("/input/0", OverrideSource(0, "user")),
        ("/input/0/parts/1", OverrideSource(0, "user")),
        (Evidence("/input/0/parts/1", 0, 3), OverrideSource(0, "user")),
        ("/input/2", OverrideSource(2, "moderator")),
        ("/system_instructions/0", OverrideSource(-1, "system")),
        ("/system_instructions/1", OverrideSource(-1, refusal="untrusted_source")),
        ("/system_instructions", OverrideSource(-1, refusal="untrusted_source")),
        ("/output/0", OverrideSource(3, refusal="untrusted_source")),
    ],
)
def test_a_place_has_the_role_of_its_message(source: str | Evidence, found: OverrideSource) -> None:
    """System instructions come before all messages, the answer after them; it is for the policy which role counts."""
    assert place(source) == (found,)


@pytest.mark.parametrize(
    "source",
    [
        "/input/3",
        "/input/1",
        "/input/0/parts/2",
        "/input/00",
        "/input/-1",
        "/input/0/parts",
        "/input",
        "/outputs/0",
        "input/0",
        "",
        "/system_instructions/2",
        Evidence("/input/0", 0, 2),
    ],
)
def test_a_source_that_points_nowhere_is_none(source: str | Evidence) -> None:
    """A place that is not there, or that cannot be told, lends nothing."""
    assert place(source) == (NOWHERE,)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (0, 4), (2, 2), (2, 1)])
def test_offsets_that_do_not_fit_are_not_trusted(start: int, end: int) -> None:
    """Characters that are not there are nobody's words."""
    assert place(Evidence("/input/0/parts/0", start, end)) == (OverrideSource(0, refusal="untrusted_source"),)


def test_without_a_call_no_source_is_known() -> None:
    """What was asked for somewhere cannot be looked up."""
    assert place("/input/0", None) == (NOWHERE,)


def test_what_was_asked_for_nowhere_costs_nothing() -> None:
    """Overrides without a source need no looking up, with any beside them that have one they keep their places."""
    plain = Override("c", "user", "a reason")
    assert override_sources([plain, plain], CALL) == ()
    assert override_sources([plain, Override("c", "user", "x", source="/input/0")], CALL) == (
        None,
        OverrideSource(0, "user"),
    )
