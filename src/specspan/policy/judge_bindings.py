"""Judges that a policy has, and the clauses they read."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.checks.judging.judge import Judge
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.policy.policy import Policy
from specspan.spec.spec import Clause


def judge_checks_of(policy: Policy) -> Iterator[JudgeCheck]:
    """Yield every check of a policy that a judge decides, in the order of the file."""
    for bound in policy.clauses.values():
        for binding in bound.checks:
            if isinstance(binding.check, JudgeCheck) and binding.check.clause is not None:
                yield binding.check


def judges_of(policy: Policy) -> Iterator[tuple[Clause, Judge]]:
    """Yield every judge of a policy, with the clause that it reads."""
    for check in judge_checks_of(policy):
        if check.clause is not None:
            yield check.clause, check.judge
