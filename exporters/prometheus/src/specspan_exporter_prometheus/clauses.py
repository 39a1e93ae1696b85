"""Alerts about clauses: an objective that is missed too fast, and any violation of a critical clause."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.decision import Outcome, Severity
from specspan.policy.policy import ClausePolicy, Objective, Policy
from specspan.spec.spec import Spec
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.alerts import Alert
from specspan_exporter_prometheus.links import Links, escape_template
from specspan_exporter_prometheus.recording import ASSESSED, VIOLATED, Counts, read_recorded
from specspan_exporter_prometheus.windows import BURNS, MINUTE_S, Burn, Pace, window_name

_CRITICAL_S = 10 * MINUTE_S
_URGENCIES = {"page": "SpecspanObjectiveBurnsFast", "ticket": "SpecspanObjectiveBurns"}


def clause_alerts(policy: Policy, links: Links, pace: Pace, counts: Counts = read_recorded) -> Iterator[Alert]:
    """Yield the alerts about single clauses, in the order of the policy; ``counts`` gives the counts of objectives."""
    for name, bound in policy.clauses.items():
        if not bound.checks:
            continue
        labels = _labels(policy, name, bound)
        if bound.objective is not None:
            for urgency in _URGENCIES:
                yield from _objective_alerts(name, bound.objective, urgency, labels, links, counts)
        if bound.severity is Severity.CRITICAL:
            yield _critical(name, labels, links, pace)


def thresholds(objective: Objective, urgency: str) -> Iterator[tuple[Burn, float]]:
    """Yield the pairs of windows of an urgency, with the violated share above which each alerts.

    A pair is left out where its share could never be reached, or its window is longer than the objective's own.
    """
    budget = 1 - objective.target
    for burn in BURNS:
        share = round(burn.factor * budget, 9)
        if burn.urgency == urgency and share <= 1 and burn.long_s <= objective.window.total_seconds():
            yield burn, share


def spec_of(policy: Policy, name: str) -> Spec:
    """Return the spec that a clause of the policy stands in."""
    spec_id, _ = policy.authority.address(name)
    return next(spec for spec in policy.specs if spec.id == spec_id)


def _objective_alerts(
    name: str, objective: Objective, urgency: str, labels: dict[str, str], links: Links, counts: Counts
) -> Iterator[Alert]:
    pairs = tuple(thresholds(objective, urgency))
    if not pairs:
        return
    target, factors = f"{objective.target * 100:.6g}%", " or ".join(f"{burn.factor:g}×" for burn, _ in pairs)
    text = escape_template(name)
    yield Alert(
        _URGENCIES[urgency],
        "\nor\n".join(_threshold(name, burn, share, counts) for burn, share in pairs),
        labels | {"urgency": urgency},
        f"{text} is violated faster than its objective of {target} allows",
        f"In {{{{ $labels.job }}}}, {{{{ $value | humanizePercentage }}}} of the calls that {text} was checked on"
        f" violated it: the error budget burns at {factors} of what lasts, or faster.",
        _links(name, links),
    )


def _threshold(name: str, burn: Burn, share: float, counts: Counts) -> str:
    (violated, assessed), (recently_violated, recently_assessed) = (
        [counts(what, name, window_s) for what in (VIOLATED, ASSESSED)] for window_s in (burn.long_s, burn.short_s)
    )
    compared = f">= {share:.10g}" if share else "> 0"
    min_violations = burn.min_violations if share else 1
    return (
        f"({violated} / {assessed} {compared}\n  and {recently_violated} / {recently_assessed} {compared}"
        f"\n  and {violated} >= {min_violations})"
    )


def _critical(name: str, labels: dict[str, str], links: Links, pace: Pace) -> Alert:
    series = promql.select(promql.FINDINGS, **{promql.CLAUSE: name, promql.OUTCOME: str(Outcome.VIOLATED)})
    text = escape_template(name)
    return Alert(
        "SpecspanCriticalViolation",
        promql.increase(series, _CRITICAL_S, f"job, {promql.CLAUSE}", pace) + " > 0",
        labels | {"urgency": "page"},
        f"{text} was violated",
        f"In {{{{ $labels.job }}}}, a call of the last {window_name(_CRITICAL_S)} violated {text}, which is critical.",
        _links(name, links),
    )


def _labels(policy: Policy, name: str, bound: ClausePolicy) -> dict[str, str]:
    spec = spec_of(policy, name)
    return {
        "clause": escape_template(name),
        "authority": escape_template(bound.clause.authority or ""),
        "severity": str(bound.severity),
        "spec": escape_template(spec.id),
        "spec_version": escape_template(spec.version or ""),
    }


def _links(name: str, links: Links) -> dict[str, str]:
    return {"runbook_url": links.runbook(name), "traces_url": links.traces_of(name)}
