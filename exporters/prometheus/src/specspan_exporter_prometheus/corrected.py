"""Recording rules of the share of violations that judges find, corrected for their errors.

A metric counts calls and has no weights, no digest of the judge and no labels. So rules are made for a judge that looks
at every call with the same probability, from the calibration that knows the judge of the policy as it is now, and are
to be made anew when either changes. `specspan rates` has none of these limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from specspan.calibration.calibration_file import Calibration
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.rate_estimate import calibration_problem
from specspan.checks.check import ALWAYS_WORTH_IT
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.decision import CheckMechanism, Outcome
from specspan.policy.policy import ClausePolicy, Policy
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.windows import DAY_S, HOUR_S, Pace, window_name

CORRECTED: Final = "specspan:clause_violations_corrected"
"""Start of the names of recorded shares: ``:ratio1h`` and ``:stderr1h``, the standard error."""
_WINDOWS_S = (HOUR_S, 6 * HOUR_S, DAY_S, 3 * DAY_S)
_DECIDED = f"{Outcome.COMPLIED}|{Outcome.VIOLATED}|{Outcome.NOT_APPLICABLE}"


def corrected_rules(policy: Policy, calibration: Calibration, pace: Pace) -> Iterator[dict[str, Any]]:
    """Yield the rules of each clause whose judge a calibration lets correct."""
    for name, bound in policy.clauses.items():
        errors = _errors(name, bound, calibration)
        if errors is not None:
            for window_s in _WINDOWS_S:
                yield from _rules(name, errors, window_s, pace)


def uncorrected_clauses(policy: Policy, calibration: Calibration) -> Iterator[str]:
    """Yield the judged clauses that have no such rules: several judges, a trigger, or no calibration."""
    for name, bound in policy.clauses.items():
        if _judges(bound) and _errors(name, bound, calibration) is None:
            yield name


def _judges(bound: ClausePolicy) -> list[JudgeCheck]:
    return [each.check for each in bound.checks if isinstance(each.check, JudgeCheck)]


def _errors(name: str, bound: ClausePolicy, calibration: Calibration) -> ErrorRates | None:
    judges = _judges(bound)
    if len(judges) != 1 or judges[0].trigger != ALWAYS_WORTH_IT:
        return None
    if len(bound.checks) > 1 and any(each.sample < 1 for each in bound.checks):
        return None  # where another check is uncertain, the judge looks at more calls than its sample
    found = calibration.find(name, judges[0].ref.version)
    return None if found is None or calibration_problem(found.errors) is not None else found.errors


def _rules(name: str, errors: ErrorRates, window_s: int, pace: Pace) -> Iterator[dict[str, Any]]:
    """Yield the corrected share, and its standard error by the delta method: of the calls and of both labels."""
    sensitivity, specificity = errors.sensitivity or 0.0, errors.specificity or 0.0
    false_alarms, gain = 1 - specificity, sensitivity + specificity - 1
    window = window_name(window_s)
    violated, decided = (
        _count(outcome, name, window_s, pace) for outcome in (f'="{Outcome.VIOLATED}"', f'=~"{_DECIDED}"')
    )
    raw = f"(({violated} or 0 * {decided}) / ({decided} > 0))"
    corrected = f"clamp(({raw} - {false_alarms:.10g}) / {gain:.10g}, 0, 1)"
    yield {"record": f"{CORRECTED}:ratio{window}", "expr": corrected}
    share = promql.select(f"{CORRECTED}:ratio{window}", **{promql.CLAUSE: name})
    of_sensitivity = sensitivity * (1 - sensitivity) / errors.violations
    of_specificity = specificity * (1 - specificity) / errors.others
    variance = (
        f"{raw} * (1 - {raw}) / {decided} + {share} ^ 2 * {of_sensitivity:.10g}"
        f" + (1 - {share}) ^ 2 * {of_specificity:.10g}"
    )
    yield {"record": f"{CORRECTED}:stderr{window}", "expr": f"sqrt({variance}) / {gain:.10g}"}


def _count(outcome: str, name: str, window_s: int, pace: Pace) -> str:
    series = (
        f"{promql.FINDINGS}{{{promql.OUTCOME}{outcome},{promql.CLAUSE}={promql.quote(name)},"
        f'{promql.CHECK_KIND}="{CheckMechanism.JUDGE}"}}'
    )
    return promql.increase(series, window_s, f"job, {promql.CLAUSE}", pace)
