"""Declared traits of a check."""

from __future__ import annotations

import pytest

from specspan.call import Side
from specspan.checks.check import CheckTraits, PartialFindings
from specspan.decision import Stage


def test_matches_in_a_part_need_patterns_that_match() -> None:
    """Without a prefilter there is nothing that the engine could look for in the end of a growing text."""
    with pytest.raises(ValueError, match="prefilter"):
        CheckTraits(Stage.OUTPUT, finds_in_part=PartialFindings.MATCHES)


@pytest.mark.parametrize("stage", Stage)
def test_a_check_that_declares_no_needs_needs_all_there_is_at_its_stage(stage: Stage) -> None:
    """Before the call that is the request, later everything; declared needs are taken as they are."""
    expected = {Side.INPUT} if stage is Stage.INPUT else set(Side)
    assert CheckTraits(stage).needed_sides == expected
    assert CheckTraits(stage, needs=frozenset((Side.OUTPUT,))).needed_sides == {Side.OUTPUT}


def test_a_check_reads_every_role_unless_it_declares_some() -> None:
    """Roles are declared, so that the engine knows them before any call."""
    assert CheckTraits(Stage.INPUT).reads("tool")
    some = CheckTraits(Stage.INPUT, reads_roles=frozenset(("user",)))
    assert [role for role in ("system", "user", "tool") if some.reads(role)] == ["user"]
