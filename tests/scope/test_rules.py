"""Intersection of two scopes, the same in either order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from scopes import allows, scopes, tool_calls

from specspan.call import ToolCall
from specspan.scope.narrowing import intersect_scopes
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

EARLY, LATE = datetime(2027, 1, 1, tzinfo=timezone.utc), datetime(2028, 1, 1, tzinfo=timezone.utc)


def binding(scope: ScopeOfAutonomy) -> ScopeOfAutonomy:
    """All of it but the details, which bind nothing."""
    return replace(scope, details={})


@given(scopes, scopes, tool_calls)
def test_both_must_allow_it(one: ScopeOfAutonomy, other: ScopeOfAutonomy, tool: ToolCall) -> None:
    """A tool call is within both together exactly when it is within each: never wider, and no narrower than need be."""
    assert allows(intersect_scopes(one, other), tool) == (allows(one, tool) and allows(other, tool))


@given(scopes, scopes, scopes)
def test_order_does_not_matter(one: ScopeOfAutonomy, two: ScopeOfAutonomy, three: ScopeOfAutonomy) -> None:
    """It is commutative and associative on all that binds, and associative on the rest."""
    assert binding(intersect_scopes(one, two)) == binding(intersect_scopes(two, one))
    assert intersect_scopes(intersect_scopes(one, two), three) == intersect_scopes(one, intersect_scopes(two, three))


@given(scopes)
def test_nothing_is_lost_by_itself(scope: ScopeOfAutonomy) -> None:
    """Narrowed by itself, or by a scope that bounds nothing, a scope is the same."""
    assert (
        intersect_scopes(scope, scope)
        == intersect_scopes(scope, ScopeOfAutonomy())
        == intersect_scopes(ScopeOfAutonomy(), scope)
        == scope
    )


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (ScopeOfAutonomy(deadline=LATE), ScopeOfAutonomy(deadline=EARLY), ScopeOfAutonomy(deadline=EARLY)),
        (
            ScopeOfAutonomy(cost_limit=Cost(Decimal(5), "EUR")),
            ScopeOfAutonomy(cost_limit=Cost(Decimal(2), "EUR")),
            ScopeOfAutonomy(cost_limit=Cost(Decimal(2), "EUR")),
        ),
        (
            ScopeOfAutonomy(cost_limit=Cost(Decimal(5), "EUR")),
            ScopeOfAutonomy(cost_limit=Cost(Decimal(2), "USD")),
            ScopeOfAutonomy(cost_limit=Cost(Decimal(0), "XXX")),
        ),
        (
            ScopeOfAutonomy(limits={"refund": {"amount": ArgumentLimit(max=50)}}),
            ScopeOfAutonomy(limits={"refund": {"amount": ArgumentLimit(min=1, optional=True)}, "search": {}}),
            ScopeOfAutonomy(limits={"refund": {"amount": ArgumentLimit(max=50, min=1)}, "search": {}}),
        ),
        (ScopeOfAutonomy(details={"a": "1"}), ScopeOfAutonomy(details={"a": "2"}), ScopeOfAutonomy(details={"a": "1"})),
    ],
)
def test_the_tightest_holds(one: ScopeOfAutonomy, other: ScopeOfAutonomy, both: ScopeOfAutonomy) -> None:
    """The earliest deadline, the lowest limits; of two currencies nothing; details of who spoke first."""
    assert intersect_scopes(one, other) == both


def test_what_is_both_wanted_and_forbidden_cannot_be() -> None:
    """An argument that one scope wants and another forbids leaves no way to call the tool."""
    wanted = ScopeOfAutonomy(limits={"t": {"x": ArgumentLimit()}})
    forbidden = ScopeOfAutonomy(limits={"t": {"x": ArgumentLimit(forbidden=True)}})
    calls = [ToolCall("t", {}), ToolCall("t", {"x": 1}), ToolCall("t", {"x": None})]
    assert [allows(wanted, call) for call in calls] == [False, True, True]
    assert [allows(forbidden, call) for call in calls] == [True, False, False]
    assert not any(allows(intersect_scopes(wanted, forbidden), call) for call in calls)
