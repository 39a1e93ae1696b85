"""Dashboard of the checks themselves: those that fail or take long, unassessed clauses, losses."""

from __future__ import annotations

from specspan.decision import Outcome, Verdict
from specspan.record import conventions
from specspan_exporter_grafana.pages import Page, latest_traces
from specspan_exporter_grafana.panels import PERCENT, SECONDS, WHOLE, Kind, Panel, stat_panel
from specspan_exporter_grafana.promql import RANGE, RATE, STEP, equal, findings, quantile, series, share
from specspan_exporter_grafana.queries import Prom, legend_of
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import increase_over

_CHECKED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN, Outcome.NOT_APPLICABLE, Outcome.ERROR)
_FAILED = ((conventions.DECISION_VERDICT, str(Verdict.ERROR)),)


def checks_page() -> Page:
    """Return the page about the checks."""
    return Page(
        ("checks",),
        "specspan: health of the checks",
        "Whether what watches the calls works.",
        (
            ("Now", _now()),
            ("Checks", _checks()),
            ("Losses, overrides, policies", _losses()),
            ("Latest calls on which a check failed", latest_traces("Failed checks", _FAILED)),
        ),
    )


def _now() -> tuple[Panel, ...]:
    failing = share(findings(Outcome.ERROR), findings(*_CHECKED), RANGE)
    refused = series(promql.RELOADS, equal(promql.RELOAD_RESULT, "refused"))
    return (
        stat_panel("Failing", "Share of the checks that failed.", Prom(failing, instant=True), PERCENT),
        stat_panel(
            "Lost", "Records and measurements.", Prom(increase_over(series(promql.DROPPED), RANGE), instant=True)
        ),
        stat_panel(
            "Stale policies", "Services under an older policy.", Prom(f"sum ({series(promql.STALE)})", instant=True)
        ),
        stat_panel("Policies refused", "Within the time range.", Prom(increase_over(refused, RANGE), instant=True)),
    )


def _checks() -> tuple[Panel, ...]:
    failing = share(findings(Outcome.ERROR), findings(*_CHECKED), RATE, by=promql.CLAUSE)
    kinds = increase_over(findings(*_CHECKED), STEP, by=promql.CHECK_KIND)
    unassessed = f"{increase_over(findings(Outcome.UNASSESSED), RANGE, by=f'{promql.CLAUSE}, job')} > 0"
    durations = (
        Prom(quantile(q, promql.CHECK_DURATION, promql.CHECK_NAME), f"{legend_of(promql.CHECK_NAME)} p{q * 100:.0f}")
        for q in (0.5, 0.99)
    )
    return (
        Panel("Failing share", "By clause.", Kind.LINES, (Prom(failing, legend_of(promql.CLAUSE)),), PERCENT),
        Panel("Time of a check", "Where it runs on its own.", Kind.LINES, tuple(durations), SECONDS),
        Panel("Findings by kind of check", "In each bar.", Kind.BARS, (Prom(kinds, legend_of(promql.CHECK_KIND)),)),
        Panel(
            "Unassessed clauses",
            "Checks that never came to look, or at a share of the calls.",
            Kind.TABLE,
            (Prom(unassessed, instant=True, table=True),),
        ),
    )


def _losses() -> tuple[Panel, ...]:
    lost = increase_over(series(promql.DROPPED), STEP, by=f"{promql.DROPPED_WHAT}, {promql.DROPPED_REASON}")
    overrides = increase_over(series(promql.OVERRIDES), STEP, by=f"{promql.OVERRIDE_CLAUSE}, {promql.OVERRIDE_RULING}")
    reloads = increase_over(series(promql.RELOADS), STEP, by=f"job, {promql.RELOAD_RESULT}")
    return (
        Panel(
            "Lost",
            "By what and why, in each bar.",
            Kind.BARS,
            (Prom(lost, legend_of(promql.DROPPED_WHAT, promql.DROPPED_REASON)),),
        ),
        Panel(
            "Overrides",
            "Granted and refused, in each bar.",
            Kind.BARS,
            (Prom(overrides, legend_of(promql.OVERRIDE_CLAUSE, promql.OVERRIDE_RULING)),),
        ),
        Panel(
            "Changed policies",
            "Put in force and refused, in each bar.",
            Kind.BARS,
            (Prom(reloads, legend_of("job", promql.RELOAD_RESULT)),),
            size=WHOLE,
        ),
    )
