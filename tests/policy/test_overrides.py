"""The chain of command's answer to an override."""

from __future__ import annotations

from datetime import date
from itertools import product

import pytest

from specspan.decision import Override
from specspan.policy.authority import build_authority
from specspan.policy.overrides import permitted_levels, rule_override
from specspan.spec.spec import Clause, Spec

LADDER = ("root", "system", "developer", "user", "guideline")
TODAY = date(2026, 11, 23)


def spec_of(ladder: tuple[str, ...]) -> Spec:
    """A spec with one clause a level, named after it, and one section without a level."""
    clauses = [Clause(id=f"{level}_clause", title=level, text="", authority=level) for level in ladder]
    clauses.append(Clause(id="overview", title="Overview", text="", authority=None))
    return Spec("spec", None, "sha256:00", ladder, {clause.id: clause for clause in clauses})


def refusal(clause: str, by: str, until: date | None = None, ladder: tuple[str, ...] = LADDER) -> str | None:
    """Why an override is refused; None when it is granted."""
    ruling = rule_override(build_authority((spec_of(ladder),)), Override(clause, by, "a reason", until), TODAY)
    assert ruling.granted is (ruling.refusal is None)
    return ruling.refusal


@pytest.mark.parametrize(
    ("clause", "by", "expected"),
    [
        ("user_clause", "user", None),
        ("user_clause", "developer", None),
        ("guideline_clause", "root", None),
        ("user_clause", "guideline", "insufficient_authority"),
        ("system_clause", "developer", "insufficient_authority"),
        ("root_clause", "root", "top_level"),
        ("root_clause", "user", "top_level"),
        ("user_clause", "operator", "unknown_level"),
        ("user_clause", "", "unknown_level"),
        ("nothing", "root", "unknown_clause"),
        ("overview", "root", "unknown_clause"),
    ],
)
def test_a_level_sets_aside_only_what_stands_at_its_own_level_or_below(
    clause: str, by: str, expected: str | None
) -> None:
    """Each pair of clause and level is granted, or refused for the reason that fits it."""
    assert refusal(clause, by) == expected


@pytest.mark.parametrize(("by", "level"), list(product(range(5), range(5))))
def test_the_ladder_alone_decides(by: int, level: int) -> None:
    """Over every pair of levels: granted exactly when the clause is not at the top and the level is no weaker."""
    granted = refusal(f"{LADDER[level]}_clause", LADDER[by]) is None
    assert granted is (level > 0 and by <= level)


def test_the_ladder_is_the_specs_own() -> None:
    """Another document's top level is as untouchable as the Model Spec's root, whatever it is called."""
    ladder = ("board", "team")
    assert refusal("board_clause", "board", ladder=ladder) == "top_level"
    assert refusal("team_clause", "team", ladder=ladder) is None
    assert refusal("team_clause", "root", ladder=ladder) == "unknown_level"


@pytest.mark.parametrize(
    ("until", "expected"),
    [(None, None), (TODAY, None), (date(2027, 1, 1), None), (date(2026, 11, 22), "expired")],
)
def test_an_override_holds_through_its_last_day(until: date | None, expected: str | None) -> None:
    """``until`` is the last day it holds, not the first on which it does not."""
    assert refusal("user_clause", "developer", until) == expected


def test_a_lasting_refusal_is_named_before_expiry() -> None:
    """An expired override that its level never permitted is told so: renewing it would not help."""
    assert refusal("root_clause", "root", date(2020, 1, 1)) == "top_level"
    assert refusal("user_clause", "guideline", date(2020, 1, 1)) == "insufficient_authority"


def test_who_may_override_is_known_for_every_level() -> None:
    """The levels that may override run from the strongest down to the clause's own; the top level has none."""
    authority = build_authority((spec_of(LADDER),))
    assert permitted_levels(authority, "root") == ()
    assert permitted_levels(authority, "developer") == ("root", "system", "developer")
