"""The scope of autonomy as it is made: what it takes, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal, localcontext
from typing import Any

import pytest

from specspan.scope.narrowing import Budget
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

_any: Any = ScopeOfAutonomy  # as an application without a type checker calls it
_limit: Any = ArgumentLimit
_cost: Any = Cost


def test_nothing_said_bounds_nothing() -> None:
    """Every bound is left out unless it is given."""
    scope = ScopeOfAutonomy()
    assert (scope.allowed_tools, scope.limits, scope.deadline, scope.cost_limit) == (None, {}, None, None)


def test_the_same_scope_is_equal_however_it_was_written() -> None:
    """Order and repetition, another time zone and another way of writing an amount change nothing."""
    east = timezone(timedelta(hours=2))
    one = ScopeOfAutonomy(
        ("b", "a", "b"),
        {"t": {"x": ArgumentLimit(one_of=("b", 1, 1.0, "a"))}},
        datetime(2027, 1, 1, 2, tzinfo=east),
        Cost(Decimal("5.00"), "EUR"),
    )
    other = ScopeOfAutonomy(
        ("a", "b"),
        {"t": {"x": ArgumentLimit(one_of=(1, "a", "b"))}},
        datetime(2027, 1, 1, tzinfo=timezone.utc),
        Cost(Decimal(5), "EUR"),
    )
    assert one == other
    assert str(one.cost_limit) == "5 EUR"


def test_later_changes_of_what_was_given_are_not_seen() -> None:
    """A scope is what it was when it was made."""
    given = {"refund": {"amount": ArgumentLimit(max=50)}}
    scope = ScopeOfAutonomy(limits=given)
    given["refund"]["amount"] = ArgumentLimit(max=5000)
    given.clear()
    assert scope.limits == {"refund": {"amount": ArgumentLimit(max=50)}}


def test_money_is_not_rounded() -> None:
    """Sums are exact however an application has set decimal arithmetic, and what is left is never rounded up."""
    with localcontext() as rounding:
        rounding.prec = 2
        limit = Cost(Decimal("100.505"), "EUR")
        budget = Budget(limit)
        budget.spend(Cost(Decimal("0.001"), "EUR"))
        assert (str(limit), str(budget.remaining)) == ("100.505 EUR", "100.504 EUR")
    budget.spend(Cost(Decimal("1E-28"), "EUR"))
    assert str(budget.remaining) == "100.5039999999999999999999999 EUR"


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: _any(allowed_tools="search"), TypeError, "allowed_tools is a tuple"),
        (lambda: _any(allowed_tools=(1,)), TypeError, "allowed_tools is a tuple"),
        (lambda: _any(limits=[("t", {})]), TypeError, "limits is a mapping"),
        (lambda: _any(limits={"t": {"x": 50}}), TypeError, "is a ArgumentLimit, not int"),
        (lambda: _any(details={"case": 7}), TypeError, "details"),
        (lambda: _any(deadline=1_800_000_000), TypeError, "deadline is a datetime"),
        (lambda: ScopeOfAutonomy(deadline=datetime.now()), ValueError, "no time zone"),  # noqa: DTZ005 - the point
        (
            lambda: ScopeOfAutonomy(deadline=datetime.min.replace(tzinfo=timezone(timedelta(hours=2)))),
            ValueError,
            "UTC",
        ),
        (lambda: _any(cost_limit=5), TypeError, "cost_limit is a Cost"),
        (lambda: _limit(max="50"), TypeError, "max is a number"),
        (lambda: _limit(max=True), TypeError, "max is a number"),
        (lambda: ArgumentLimit(min=float("nan")), ValueError, "finite"),
        (lambda: ArgumentLimit(max=float("inf")), ValueError, "finite"),
        (lambda: ArgumentLimit(max=1 << 1024), ValueError, "finite"),
        (lambda: ArgumentLimit(one_of=(float("nan"),)), ValueError, "finite"),
        (lambda: _limit(one_of=(None,)), TypeError, "one_of"),
        (lambda: _limit(patterns="a+"), TypeError, "patterns is a tuple"),
        (lambda: _cost(5.0, "EUR"), TypeError, "amount is a Decimal"),
        (lambda: Cost(Decimal(-1), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal("NaN"), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal("sNaN"), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal("Infinity"), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal("1E+999999"), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal("0." + "3" * 29), "EUR"), ValueError, "at least 0"),
        (lambda: Cost(Decimal(1), "€ or so"), ValueError, "invalid currency '€ or so'"),
        (lambda: _cost(Decimal(1), None), TypeError, "currency is a str"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Callable[[], object], kind: type[Exception], message: str) -> None:
    """A scope that would silently bound something else is never made."""
    with pytest.raises(kind, match=message):
        make()
