"""A scope of autonomy for one tool, and the policy that keeps it, for tests of whoever runs tools."""

from __future__ import annotations

from policies import bound, policy

import specspan
from specspan.checks.registry import kinds
from specspan.decision import Action, Mode
from specspan.policy.policy import Policy

SEARCH = specspan.ScopeOfAutonomy(("search",), {"search": {"limit": specspan.ArgumentLimit(max=10)}})
"""Searching, for ten things at most."""


def rules(mode: Mode = Mode.ENFORCE) -> Policy:
    """What is out of scope is blocked."""
    return policy(bound("autonomy", kinds()["scope"].build("autonomy", {}), action=Action.BLOCK), mode=mode)
