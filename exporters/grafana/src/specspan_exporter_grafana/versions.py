"""Dashboard that compares two versions of a spec by violations and unassessed calls."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import VariableSort

from specspan.decision import Outcome, Verdict
from specspan.record import conventions
from specspan_exporter_grafana.pages import Page, latest_traces
from specspan_exporter_grafana.panels import COUNT, PERCENT, WHOLE, Kind, Panel, stat_panel
from specspan_exporter_grafana.promql import ASSESSED, JOBS, RANGE, RATE, STEP, decisions, equal, findings, share
from specspan_exporter_grafana.queries import Prom, legend_of
from specspan_exporter_grafana.sources import labels
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import increase_over

_OLD, _NEW = "old", "new"
_LEGEND = legend_of(promql.SPEC_VERSION)


def versions() -> Page:
    """Return the page; by default it compares the first and the last version, sorted as text."""
    query = f"label_values({JOBS.split(',')[0]}, {promql.SPEC_VERSION})"
    return Page(
        ("versions",),
        "specspan: versions of the spec",
        "The same services under two versions of a spec.",
        (
            ("Two versions", _two()),
            ("By clause", _by_clause()),
            ("All versions", _all()),
            ("Violations under the new one", latest_traces("Violations", _of_new())),
        ),
        (
            labels(_OLD, "Old version", query, VariableSort.ALPHABETICAL_ASC),
            labels(_NEW, "New version", query, VariableSort.ALPHABETICAL_DESC),
        ),
    )


def _of_new() -> tuple[tuple[str, str], ...]:
    return (conventions.SPEC_VERSION, f"${_NEW}"), (conventions.DECISION_VERDICT, str(Verdict.VIOLATED))


def _under(version: str) -> str:
    """Return a matcher of the version that a variable names."""
    return f'{promql.SPEC_VERSION}="${version}"'


def _violating(version: str) -> str:
    violated = decisions(_under(version), equal(promql.VERDICT, str(Verdict.VIOLATED)))
    return share(violated, decisions(_under(version)), RANGE)


def _two() -> tuple[Panel, ...]:
    return tuple(
        stat_panel(title, description, Prom(expr, instant=True), unit)
        for version in (_OLD, _NEW)
        for title, description, expr, unit in (
            (
                f"Calls under ${version}",
                "Within the time range.",
                increase_over(decisions(_under(version)), RANGE),
                COUNT,
            ),
            (f"Violating under ${version}", "Share of its calls.", _violating(version), PERCENT),
        )
    )


def _by_clause() -> tuple[Panel, ...]:
    old, new = (
        share(
            findings(Outcome.VIOLATED, also=(_under(version),)),
            findings(*ASSESSED, also=(_under(version),)),
            RANGE,
            by=promql.CLAUSE,
        )
        for version in (_OLD, _NEW)
    )
    both = f"{promql.CLAUSE}, {promql.SPEC_VERSION}"
    each = share(findings(Outcome.VIOLATED), findings(*ASSESSED), RANGE, by=both)
    return (
        Panel(
            "Change of the violated share",
            "New less old, of the calls on which a clause was assessed; clauses of both versions.",
            Kind.TABLE,
            (Prom(f"sort_desc({new} - {old})", instant=True, table=True),),
            PERCENT,
        ),
        Panel("Violated share", "By clause and version.", Kind.TABLE, (Prom(each, instant=True, table=True),), PERCENT),
    )


def _all() -> tuple[Panel, ...]:
    calls = increase_over(decisions(), STEP, by=promql.SPEC_VERSION)
    violating, unassessed = (
        share(decisions(equal(promql.VERDICT, str(verdict))), decisions(), RATE, by=promql.SPEC_VERSION)
        for verdict in (Verdict.VIOLATED, Verdict.UNASSESSED)
    )
    return (
        Panel("Calls", "By version, how many in each bar.", Kind.BARS, (Prom(calls, _LEGEND),), size=WHOLE),
        Panel("Violating share", "By version.", Kind.LINES, (Prom(violating, _LEGEND),), PERCENT),
        Panel("Unassessed share", "By version.", Kind.LINES, (Prom(unassessed, _LEGEND),), PERCENT),
    )
