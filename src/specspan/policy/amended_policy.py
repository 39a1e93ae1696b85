"""Policy as mitigations amend it.

One file of mitigations serves a fleet, so a mitigation of a clause that a policy does not bind is left out there, and
logged.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from specspan.decision import Action, Mode
from specspan.policy.mitigation import Mitigation
from specspan.policy.policy import ClausePolicy, Layer, Policy

_log = logging.getLogger("specspan")


def with_mitigations(policy: Policy, mitigations: Sequence[Mitigation]) -> Policy:
    """Return a policy with the mitigations of clauses that it binds to checks; the others are logged."""
    known = []
    for each in mitigations:
        bound = policy.clauses.get(each.clause)
        if bound is None or not bound.checks:
            _log.warning("the mitigation %s is of %r, for which this policy has no check", each.id, each.clause)
        else:
            known.append(each)
    return replace(policy, mitigations=tuple(known))


def amended_policy(policy: Policy, chosen: Sequence[Mitigation]) -> Policy:
    """Return the policy as some of its mitigations amend it, with a layer for each, so that records name them.

    Their clauses are enforced, also where the policy observes; every other clause goes on as it was. No mitigation
    loosens what is enforced: of several actions over one clause, the policy's included, the strictest is taken.
    """
    clauses = dict(policy.clauses)
    if policy.mode is Mode.OBSERVE:
        clauses = {name: replace(bound, mode=Mode.OBSERVE) for name, bound in clauses.items()}
    for each in chosen:
        clauses[each.clause] = _enforced(clauses[each.clause], each.action)
    layers = tuple(_layer(each) for each in chosen)
    digest = sha256("\n".join((policy.digest, *(layer.digest for layer in layers))).encode()).hexdigest()
    return replace(
        policy,
        mode=Mode.ENFORCE,
        clauses=clauses,
        digest=f"sha256:{digest}",
        layers=(*policy.layers, *layers),
        mitigations=(),
    )


def _enforced(bound: ClausePolicy, action: Action) -> ClausePolicy:
    actions = (bound.action, action) if bound.mode is Mode.ENFORCE else (action,)
    return replace(bound, action=max(actions, key=_strictness), mode=Mode.ENFORCE)


def _strictness(action: Action) -> tuple[bool, int]:
    """Return the place of an action, the strictest last: a person may let pass what is escalated, but not blocked."""
    return action is Action.BLOCK, action.rank


def _layer(mitigation: Mitigation) -> Layer:
    text = json.dumps(mitigation.to_json(), sort_keys=True)
    source = f"mitigation {mitigation.id}: {mitigation.action.value} {mitigation.clause}, by {mitigation.by}"
    return Layer(f"{source}: {mitigation.reason}", f"sha256:{sha256(text.encode()).hexdigest()}")
