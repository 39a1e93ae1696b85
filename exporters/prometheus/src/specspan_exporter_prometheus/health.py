"""Alerts about specspan itself: checks that fail or fall silent, overrides refused, records lost."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.decision import Outcome, Verdict
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.alerts import Alert
from specspan_exporter_prometheus.links import HEALTH, Links
from specspan_exporter_prometheus.windows import DAY_S, HOUR_S, MINUTE_S, Pace

_ASSESSED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN, Outcome.NOT_APPLICABLE)
_FAILING_SHARE, _MIN_FAILING = 0.1, 2
_UNASSESSED_SHARE, _MIN_UNASSESSED = 0.5, 10
_DROPPED_KINDS = "decision|decision_on_span|measurement|log_record|internal|scope|cost"
_QUARTER_S = 15 * MINUTE_S


def health_alerts(links: Links, pace: Pace) -> Iterator[Alert]:
    """Yield the alerts that are not about a single clause of the policy."""
    runbook = {"runbook_url": links.runbook(HEALTH)}
    yield _absent_alert(runbook, pace)
    yield _gone_alert(runbook, pace)
    yield _silent_alert(runbook, pace)
    yield _failing_alert(runbook, pace)
    yield _unassessed_alert(runbook, pace)
    yield _refused_alert(runbook, pace)
    yield _dropped_alert(runbook, pace)
    yield _stale_alert(runbook, pace)


def _labels(urgency: str, **more: str) -> dict[str, str]:
    return {"severity": "high" if urgency == "page" else "medium", "urgency": urgency, **more}


def _absent_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    return Alert(
        "SpecspanAbsent",
        f"absent_over_time({promql.FINDINGS}[{pace.duration(_QUARTER_S)}])",
        _labels("page"),
        "No service reports findings",
        "For 15 minutes no finding of any service has reached Prometheus: nothing that these rules watch can be seen.",
        runbook,
    )


def _gone_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    day, quarter = pace.duration(DAY_S), pace.duration(_QUARTER_S)
    seen = f"sum by (job) (present_over_time({promql.FINDINGS}[{{}}]))"
    return Alert(
        "SpecspanServiceGone",
        f"{seen.format(day)} unless {seen.format(quarter)}",
        _labels("ticket"),
        "{{ $labels.job }} reports findings no more",
        "{{ $labels.job }} reported findings within the last day, and none for 15 minutes. This ends by itself after"
        " a day, as for a service that was taken down.",
        runbook,
    )


def _silent_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    decided = promql.increase(promql.DECISIONS, HOUR_S, "job", pace)
    assessed = promql.increase(_findings(*_ASSESSED), HOUR_S, "job", pace)
    return Alert(
        "SpecspanChecksSilent",
        f"{decided} > 0\nunless {assessed} > 0",
        _labels("page"),
        "Calls of {{ $labels.job }} are decided, and no check says anything",
        "Within an hour {{ $labels.job }} made calls, and no clause was found complied, violated, uncertain or not"
        " applicable.",
        runbook,
        pace.duration(_QUARTER_S),
    )


def _failing_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    by = f"job, {promql.CLAUSE}"
    failed = promql.increase(_findings(Outcome.ERROR), HOUR_S, by, pace)
    tried = promql.increase(_findings(Outcome.ERROR, *_ASSESSED), HOUR_S, by, pace)
    clause = f"{{{{ $labels.{promql.CLAUSE} }}}}"
    return Alert(
        "SpecspanChecksFailing",
        f"{failed} / {tried} > {_FAILING_SHARE}\nand {failed} >= {_MIN_FAILING}",
        _labels("ticket", clause=clause),
        f"Checks of {clause} fail",
        f"In {{{{ $labels.job }}}}, {{{{ $value | humanizePercentage }}}} of the checks of {clause} failed within an"
        " hour: they raised, ran out of time or returned nonsense.",
        runbook,
    )


def _unassessed_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    unassessed = promql.select(promql.DECISIONS, **{promql.VERDICT: str(Verdict.UNASSESSED)})
    none = promql.increase(unassessed, HOUR_S, "job", pace)
    every = promql.increase(promql.DECISIONS, HOUR_S, "job", pace)
    return Alert(
        "SpecspanUnassessed",
        f"{none} / {every} > {_UNASSESSED_SHARE}\nand {none} >= {_MIN_UNASSESSED}",
        _labels("ticket"),
        "Many calls of {{ $labels.job }} are unassessed",
        "Of {{ $value | humanizePercentage }} of the calls within an hour no check could say anything.",
        runbook,
        pace.duration(_QUARTER_S),
    )


def _refused_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    by = f"job, {promql.OVERRIDE_CLAUSE}, {promql.OVERRIDE_LEVEL}"
    clause, level = (f"{{{{ $labels.{each} }}}}" for each in (promql.OVERRIDE_CLAUSE, promql.OVERRIDE_LEVEL))
    series = promql.select(promql.OVERRIDES, **{promql.OVERRIDE_RULING: "refused"})
    return Alert(
        "SpecspanOverrideRefused",
        promql.increase(series, _QUARTER_S, by, pace) + " > 0",
        _labels("ticket", clause=clause, authority=level),
        f"An override of {clause} was refused",
        f"In {{{{ $labels.job }}}}, {level} asked to set {clause} aside and may not.",
        runbook,
    )


def _dropped_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    by = f"job, {promql.DROPPED_WHAT}, {promql.DROPPED_REASON}"
    what, reason = (f"{{{{ $labels.{each} }}}}" for each in (promql.DROPPED_WHAT, promql.DROPPED_REASON))
    series = f'{promql.DROPPED}{{{promql.DROPPED_WHAT}=~"{_DROPPED_KINDS}"}}'
    return Alert(
        "SpecspanRecordsDropped",
        promql.increase(series, _QUARTER_S, by, pace) + " > 0",
        _labels("ticket"),
        "{{ $labels.job }} loses what it should record",
        f"Within 15 minutes, {{{{ $value | humanize }}}} of kind {what} were lost: {reason}.",
        runbook,
    )


def _stale_alert(runbook: dict[str, str], pace: Pace) -> Alert:
    return Alert(
        "SpecspanPolicyStale",
        f"max by (job) ({promql.STALE}) > 0",
        _labels("ticket"),
        "{{ $labels.job }} runs under an older policy than its files hold",
        "The policy's files were changed, and what they hold was refused.",
        runbook,
        pace.duration(5 * MINUTE_S),
    )


def _findings(*outcomes: Outcome) -> str:
    return f'{promql.FINDINGS}{{{promql.OUTCOME}=~"{"|".join(outcomes)}"}}'
