"""A policy on a version of its spec that it was not written for: what has the same id is bound, the rest is named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from os import PathLike

from specspan.errors import PolicyError
from specspan.policy.against_spec import clause_problem, override_problem
from specspan.policy.authority import authority_of
from specspan.policy.load import load_policy
from specspan.policy.model import Policy
from specspan.spec.model import Spec


def load_onto(path: str | PathLike[str], spec: Spec) -> tuple[Policy, tuple[str, ...]]:
    """A policy loaded with ``spec`` in place of the one it names, and the ids that ``spec`` has no clause for.

    Raises:
        PolicyError: it is refused with ``spec``, and also with its own, or it has others beside it.
    """
    try:
        return load_policy(path, spec=spec), ()
    except PolicyError:
        with suppress(PolicyError):
            policy = load_policy(path)
            if len(policy.specs) == 1:
                return _onto(policy, spec)
        raise


def _onto(policy: Policy, spec: Spec) -> tuple[Policy, tuple[str, ...]]:
    authority = authority_of((spec,))
    unbound = tuple(id_ for id_ in policy.clauses if clause_problem(authority, id_) is not None)
    bound = {id_: replace(each, clause=spec.clauses[id_]) for id_, each in policy.clauses.items() if id_ not in unbound}
    overrides = tuple(each for each in policy.overrides if override_problem(authority, each) is None)
    return replace(policy, specs=(spec,), order=(), clauses=bound, overrides=overrides), unbound
