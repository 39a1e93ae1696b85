"""The scope of autonomy that an application declares: checked, given a standing, and put together with others'."""

from __future__ import annotations

from typing import TypeAlias

from specspan.checks.arguments import whole
from specspan.checks.base import CheckConfigError
from specspan.errors import ConfigurationError, Problem
from specspan.scope.model import ScopeOfAutonomy
from specspan.scope.narrow import both, narrow
from specspan.scope.standing import Budget, Standing, Trust, together

InForce: TypeAlias = tuple[ScopeOfAutonomy | None, Standing]


def declared(scope: ScopeOfAutonomy) -> InForce:
    """A scope that this process declares, nothing spent under it yet."""
    budgets = () if scope.cost_limit is None else (Budget(scope.cost_limit),)
    return scope, Standing(Trust.LOCAL, None, budgets)


def merged(outer: tuple[ScopeOfAutonomy | None, Standing | None], inner: InForce) -> InForce:
    """What both allow, and as little as counts in either. Of an unreadable scope nothing but that is left."""
    scope = both(outer[0], inner[0], narrow)
    standing = both(outer[1], inner[1], together)
    return scope, standing or inner[1]


def refuse_unusable(scope: ScopeOfAutonomy) -> None:
    """Look at what could otherwise never match.

    Raises:
        ConfigurationError: a pattern cannot be used.
    """
    for tool, limits in scope.limits.items():
        for argument, limit in limits.items():
            for pattern in limit.patterns:
                try:
                    whole(pattern)
                except CheckConfigError as error:
                    problem = Problem(error.message, error.remedy, key=f"limits.{tool}.{argument}.patterns")
                    raise ConfigurationError("context(scope=…)", problem) from None
