"""What work costs, as the application says it: specspan knows no prices."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from specspan import losses
from specspan.instrument.context import current_context
from specspan.scope.model import Cost


def spend(amount: Decimal | float | str, currency: str) -> None:
    """Say that the work at hand has cost something, against every cost limit of the scopes it belongs to.

    ``specspan.spend("0.02", "EUR")``. Once a limit is reached, checks of kind ``scope`` and ``tools`` allow no tool. An
    amount that cannot be read, or one in another currency than the limit's, leaves nothing of it. Never raises.
    """
    standing = current_context().standing
    if standing is None or not standing.budgets:
        return
    cost = None
    try:
        cost = Cost(Decimal(str(amount)), currency)
    except (InvalidOperation, TypeError, ValueError):
        losses.count("cost", "unreadable")
    for budget in standing.budgets:
        budget.spend(cost)
