"""Dashboard of an overview: decisions, violations, unassessed calls and overhead."""

from __future__ import annotations

from specspan.decision import Action, Outcome, Verdict
from specspan.record import conventions
from specspan_exporter_grafana.pages import Page, latest_traces, log_records
from specspan_exporter_grafana.panels import HALF, PERCENT, SECONDS, WHOLE, Kind, Panel, stat_panel
from specspan_exporter_grafana.promql import (
    RANGE,
    RATE,
    STEP,
    decisions,
    equal,
    findings,
    one_of,
    quantile,
    series,
    share,
)
from specspan_exporter_grafana.queries import Prom, legend_of
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import increase_over

_STOPPED = (Action.BLOCK, Action.ESCALATE, Action.REDACT, Action.REPLACE)
_VIOLATED = ((conventions.DECISION_VERDICT, str(Verdict.VIOLATED)),)


def overview(logs: bool) -> Page:
    """Return the overview; ``logs`` adds log records from Loki."""
    rows = [
        ("Now", _now()),
        ("Decisions", _decisions()),
        ("Violations", _violations()),
        ("What was not looked at, and what looking costs", _unassessed_and_overhead()),
        ("Latest violations", latest_traces("Violations", _VIOLATED)),
    ]
    if logs:
        rows.append(log_records("Violations", ((conventions.FINDING_OUTCOME, str(Outcome.VIOLATED)),)))
    return Page(("overview",), "specspan: overview", "What was decided about model calls.", tuple(rows))


def _of(*verdicts: Verdict) -> str:
    return decisions(one_of(promql.VERDICT, *(str(each) for each in verdicts)))


def _now() -> tuple[Panel, ...]:
    stopped = decisions(one_of(promql.ACTION, *(str(each) for each in _STOPPED)))
    refused = series(promql.OVERRIDES, equal(promql.OVERRIDE_RULING, "refused"))
    return (
        stat_panel("Calls decided", "Within the time range.", Prom(increase_over(decisions(), RANGE), instant=True)),
        stat_panel(
            "Violating",
            "Share of the calls.",
            Prom(share(_of(Verdict.VIOLATED), decisions(), RANGE), instant=True),
            PERCENT,
        ),
        stat_panel(
            "Unassessed",
            "Share of the calls of which no check could say anything.",
            Prom(share(_of(Verdict.UNASSESSED), decisions(), RANGE), instant=True),
            PERCENT,
        ),
        stat_panel(
            "Stopped or changed",
            "Calls that were blocked, escalated, redacted or replaced.",
            Prom(increase_over(stopped, RANGE), instant=True),
        ),
        stat_panel("Overrides refused", "Within the time range.", Prom(increase_over(refused, RANGE), instant=True)),
        stat_panel(
            "Overhead, mean", "What specspan itself cost one call.", Prom(_overhead(RANGE), instant=True), SECONDS
        ),
    )


def _decisions() -> tuple[Panel, ...]:
    verdicts = increase_over(decisions(), STEP, by=promql.VERDICT)
    actions = increase_over(decisions(), STEP, by=promql.ACTION)
    return (
        Panel("Calls by verdict", "How many in each bar.", Kind.BARS, (Prom(verdicts, legend_of(promql.VERDICT)),)),
        Panel("Calls by action", "What was done.", Kind.BARS, (Prom(actions, legend_of(promql.ACTION)),)),
    )


def _violations() -> tuple[Panel, ...]:
    violated = findings(Outcome.VIOLATED)
    by_clause, by_authority = (increase_over(violated, STEP, by=by) for by in (promql.CLAUSE, promql.AUTHORITY))
    columns = f"{promql.CLAUSE}, {promql.AUTHORITY}, {promql.SEVERITY}, job"
    table = f"{increase_over(violated, RANGE, by=columns)} > 0"
    return (
        Panel(
            "Violations by clause",
            "How many in each bar; points are traces, where exemplars reach Prometheus.",
            Kind.BARS,
            (Prom(by_clause, legend_of(promql.CLAUSE), exemplars=True),),
        ),
        Panel("Violations by authority", "", Kind.BARS, (Prom(by_authority, legend_of(promql.AUTHORITY)),)),
        Panel("Violations", "Within the time range.", Kind.TABLE, (Prom(table, instant=True, table=True),), size=WHOLE),
    )


def _unassessed_and_overhead() -> tuple[Panel, ...]:
    unassessed = share(_of(Verdict.UNASSESSED), decisions(), RATE, by="job")
    quantiles = (
        Prom(quantile(q, promql.OVERHEAD, promql.STAGE), f"{legend_of(promql.STAGE)} p{q * 100:.0f}")
        for q in (0.5, 0.99)
    )
    return (
        Panel("Unassessed share", "By service.", Kind.LINES, (Prom(unassessed, legend_of("job")),), PERCENT),
        Panel("Overhead by stage", "What specspan cost a call.", Kind.LINES, tuple(quantiles), SECONDS, HALF),
    )


def _overhead(window: str) -> str:
    spent = f"sum (rate({series(f'{promql.OVERHEAD}_sum')}[{window}]))"
    return f"{spent} / (sum (rate({decisions()}[{window}])) > 0)"
