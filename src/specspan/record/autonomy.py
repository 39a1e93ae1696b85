"""The scope of autonomy as attributes of a span. A scope is the same for many calls, so what is made of it is kept."""

from __future__ import annotations

from specspan.call import CallContext
from specspan.record import conventions as names
from specspan.scope.model import ScopeOfAutonomy
from specspan.scope.written import digest

_MAX_KEPT = 256
_kept: dict[int, tuple[ScopeOfAutonomy, dict[str, str]]] = {}


def of_scope(context: CallContext) -> dict[str, str]:
    """What is recorded of the scope in force, as it is written; nothing where there is none."""
    found = {} if context.scope is None else dict(_of_scope(context.scope))
    if context.standing is not None:
        found[names.SCOPE_TRUST] = context.standing.trust.value
    return found


def _of_scope(scope: ScopeOfAutonomy) -> dict[str, str]:
    kept = _kept.get(id(scope))
    if kept is not None:
        return kept[1]
    if len(_kept) >= _MAX_KEPT:
        _kept.clear()
    made = _made(scope)
    _kept[id(scope)] = (scope, made)  # the scope is kept, so its id stays its own
    return made


def _made(scope: ScopeOfAutonomy) -> dict[str, str]:
    found: dict[str, str] = {names.SCOPE_DIGEST: digest(scope)}
    if scope.allowed_tools is not None:
        found[names.SCOPE_ALLOWED_TOOLS] = " ".join(scope.allowed_tools)
    if scope.deadline is not None:
        found[names.SCOPE_DEADLINE] = scope.deadline.isoformat()
    if scope.cost_limit is not None:
        found[names.SCOPE_COST_LIMIT] = str(scope.cost_limit)
    return found
