"""Check that a judge decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from specspan.calibration.thresholds import Guarantee
from specspan.call import ModelCall
from specspan.checks.check import ALWAYS_WORTH_IT, Background, Check, CheckResult, CheckTraits, TextAt, Trigger
from specspan.checks.judging.budgets import NO_LIMITS, Budget, Limits, budget_of
from specspan.checks.judging.judge import ATTEMPTS, Judge, Question
from specspan.checks.judging.judge_answer import BY_DEFAULT, Thresholds
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome
from specspan.spec.spec import Clause, Example

NO_CLAUSE = "no_clause"
"""Error: the policy that holds the check was not loaded with a spec."""


@dataclass(frozen=True, slots=True)
class JudgeQuestion:
    """Question of one check: the judge, what it is asked, and the budget it is asked from."""

    judge: Judge
    question: Question
    limits: Limits = NO_LIMITS

    @property
    def budget(self) -> Budget | None:
        """Return what judges with the same limits share; None without limits."""
        if self.limits.is_unlimited:
            return None
        model = self.judge.model
        return budget_of(f"{model.name} {model.endpoint}", self.limits)


@dataclass(frozen=True, slots=True)
class Demands:
    """Demands of a policy that a calibration has to meet."""

    guarantee: Guarantee | None = None
    """Agreement for which the calibration chooses the thresholds."""
    min_specificity: float | None = None
    """Specificity that labels must show before the judge may act."""


NO_DEMANDS = Demands()


@dataclass(frozen=True, slots=True)
class JudgeCheck:
    """Check of one clause by a judge. Until the policy meets its spec, it has no clause and decides nothing."""

    judge: Judge
    thresholds: Thresholds = BY_DEFAULT
    limits: Limits = NO_LIMITS
    group: str | None = None
    """Clauses of one group are judged in one request; None: each by itself."""
    wait_s: float | None = None
    trigger: Trigger = ALWAYS_WORTH_IT
    clause: Clause | None = None
    demands: Demands = NO_DEMANDS
    shown: Clause | None = None
    """Clause as the prompt has it, where that is not ``clause`` as it stands."""

    def for_clause(self, clause: Clause) -> Check:
        """Return the check of ``clause``."""
        return replace(self, clause=clause, shown=None)

    def without_example(self, example: Example) -> JudgeCheck:
        """Return the check as it is asked about an answer of ``example``, which has the verdict. Its ref stays."""
        if self.clause is None or all(each is not example for each in self.clause.examples):
            return self
        examples = tuple(each for each in self.clause.examples if each is not example)
        return replace(self, shown=replace(self.clause, examples=examples))

    @property
    def ref(self) -> CheckRef:
        """Name of the model, and the digest of everything that its answers depend on."""
        version = "" if self.clause is None else self.judge.digest(self.clause, self._decides_by)
        return CheckRef(self.judge.model.name, CheckMechanism.JUDGE, version)

    @property
    def _decides_by(self) -> tuple[object, ...]:
        """Return how a score becomes an outcome; an agreement in place of the thresholds that it chooses."""
        guarantee, thresholds = self.demands.guarantee, self.thresholds
        if guarantee is not None:
            return "agreement", guarantee.agreement, guarantee.confidence
        return () if thresholds == BY_DEFAULT else (thresholds.violated, thresholds.complied)

    @property
    def traits(self) -> CheckTraits:
        """Traits of a check in the background, which takes as long as all attempts may take where it is waited for."""
        settings = self.judge.settings
        timeout_s = settings.timeout_s * ATTEMPTS
        if self.clause is None:
            return CheckTraits(settings.stage, timeout_s=timeout_s)
        question = JudgeQuestion(self.judge, Question(self.shown or self.clause, self.thresholds), self.limits)
        alone = self.clause.id if self.group is None else None
        key = (self.judge.model.name, self.judge.model.endpoint, settings, self.limits, self.wait_s, self.group, alone)
        background = Background(key, question, self.wait_s, self.trigger)
        return CheckTraits(settings.stage, timeout_s=timeout_s, background=background)

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Ask the judge, and wait for it."""
        if self.clause is None:
            return Finding(Outcome.ERROR, NO_CLAUSE)
        return self.judge.judge(self.shown or self.clause, call, self.thresholds).finding()
