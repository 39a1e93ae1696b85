"""The page about the watching itself: checks that fail or take long, clauses nobody looks at, what was lost."""

from __future__ import annotations

from specspan.decision import Outcome, Verdict
from specspan.record import conventions
from specspan_exporter_grafana.pages import Page, latest
from specspan_exporter_grafana.panels import PERCENT, SECONDS, WHOLE, Kind, Panel, stat_of
from specspan_exporter_grafana.promql import RANGE, RATE, STEP, equal, findings, quantile, series, share
from specspan_exporter_grafana.queries import Prom, named
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import grown

_TRIED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN, Outcome.NOT_APPLICABLE, Outcome.ERROR)
_FAILED = ((conventions.DECISION_VERDICT, str(Verdict.ERROR)),)


def checks_page() -> Page:
    """The page."""
    return Page(
        ("checks",),
        "specspan: health of the checks",
        "Whether what watches the calls works.",
        (
            ("Now", _now()),
            ("Checks", _checks()),
            ("Losses, overrides, policies", _losses()),
            ("Latest calls on which a check failed", latest("Failed checks", _FAILED)),
        ),
    )


def _now() -> tuple[Panel, ...]:
    failing = share(findings(Outcome.ERROR), findings(*_TRIED), RANGE)
    refused = series(promql.RELOADS, equal(promql.RELOAD_RESULT, "refused"))
    return (
        stat_of("Failing", "Share of the checks that failed.", Prom(failing, instant=True), PERCENT),
        stat_of("Lost", "Records and measurements.", Prom(grown(series(promql.DROPPED), RANGE), instant=True)),
        stat_of(
            "Stale policies", "Services under an older policy.", Prom(f"sum ({series(promql.STALE)})", instant=True)
        ),
        stat_of("Policies refused", "Within the time range.", Prom(grown(refused, RANGE), instant=True)),
    )


def _checks() -> tuple[Panel, ...]:
    failing = share(findings(Outcome.ERROR), findings(*_TRIED), RATE, by=promql.CLAUSE)
    kinds = grown(findings(*_TRIED), STEP, by=promql.CHECK_KIND)
    unassessed = f"{grown(findings(Outcome.UNASSESSED), RANGE, by=f'{promql.CLAUSE}, job')} > 0"
    durations = (
        Prom(quantile(q, promql.CHECK_DURATION, promql.CHECK_NAME), f"{named(promql.CHECK_NAME)} p{q * 100:.0f}")
        for q in (0.5, 0.99)
    )
    return (
        Panel("Failing share", "By clause.", Kind.LINES, (Prom(failing, named(promql.CLAUSE)),), PERCENT),
        Panel("Time of a check", "Where it runs on its own.", Kind.LINES, tuple(durations), SECONDS),
        Panel("Findings by kind of check", "In each bar.", Kind.BARS, (Prom(kinds, named(promql.CHECK_KIND)),)),
        Panel(
            "Unassessed clauses",
            "Checks that never came to look, or at a share of the calls.",
            Kind.TABLE,
            (Prom(unassessed, instant=True, table=True),),
        ),
    )


def _losses() -> tuple[Panel, ...]:
    lost = grown(series(promql.DROPPED), STEP, by=f"{promql.DROPPED_WHAT}, {promql.DROPPED_REASON}")
    overrides = grown(series(promql.OVERRIDES), STEP, by=f"{promql.OVERRIDE_CLAUSE}, {promql.OVERRIDE_RULING}")
    reloads = grown(series(promql.RELOADS), STEP, by=f"job, {promql.RELOAD_RESULT}")
    return (
        Panel(
            "Lost",
            "By what and why, in each bar.",
            Kind.BARS,
            (Prom(lost, named(promql.DROPPED_WHAT, promql.DROPPED_REASON)),),
        ),
        Panel(
            "Overrides",
            "Granted and refused, in each bar.",
            Kind.BARS,
            (Prom(overrides, named(promql.OVERRIDE_CLAUSE, promql.OVERRIDE_RULING)),),
        ),
        Panel(
            "Changed policies",
            "Put in force and refused, in each bar.",
            Kind.BARS,
            (Prom(reloads, named("job", promql.RELOAD_RESULT)),),
            size=WHOLE,
        ),
    )
