"""Policy: what binds each clause, how much is checked, when it came into force, and what loading the file says now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from specspan.console import overview_figures
from specspan.console.policy_figures import PolicyInForce, policies_in_force
from specspan.console.visit import NavigationEntry, Visit, page_route
from specspan.record.notice import POLICY_REFUSAL

_MAX_AGE_S = 5.0
_MOST_CHANGES = 20
_MOST_REFUSALS = 10


@dataclass(frozen=True, slots=True)
class Loading:
    """Result of loading the policy file as it is now."""

    path: str
    problem: str | None
    digest: str | None
    is_in_force: bool
    """True where a service goes by exactly this policy."""


def policy(visit: Visit) -> Response:
    """Return the page of policies."""
    activations = visit.console.answers.get("activations", _MAX_AGE_S, visit.reader.policy_activations)
    in_force = policies_in_force(activations)
    loading = visit.console.answers.get("loading", _MAX_AGE_S, lambda: _load(visit, in_force))
    changes = overview_figures.changes(activations, 0)
    return visit.page(
        "policy.html",
        policies=in_force,
        loading=loading,
        changes=changes[:_MOST_CHANGES],
        more=len(changes) - _MOST_CHANGES,
        refusals=visit.console.answers.get("refusals", _MAX_AGE_S, lambda: _refusals(visit)),
    )


def _refusals(visit: Visit) -> Sequence[Mapping[str, Any]]:
    """Return what reloads of running services refused, the latest first."""
    return visit.reader.other_records(POLICY_REFUSAL)[:_MOST_REFUSALS]


def _load(visit: Visit, in_force: Sequence[PolicyInForce]) -> Loading | None:
    path = visit.console.settings.policy
    if path is None:
        return None
    loaded, problem = visit.console.specs.load_policy()
    if loaded is None:
        return Loading(str(path), problem, None, is_in_force=False)
    visit.console.specs.add(loaded.specs)
    return Loading(str(path), None, loaded.digest, any(each.digest == loaded.digest for each in in_force))


NAVIGATION = NavigationEntry(50, "/policy", "Policy")
ROUTES = [page_route("/policy", policy)]
