"""Dashboard of one clause: its violations, the rest of its error budget, and the traces that show it."""

from __future__ import annotations

from datetime import timedelta

from specspan.decision import Outcome
from specspan.policy.policy import ClausePolicy, Objective, Policy
from specspan.record import conventions
from specspan_exporter_grafana.pages import CLAUSES, Page, latest_traces, log_records
from specspan_exporter_grafana.panels import PERCENT, WHOLE, Kind, Panel, stat_panel
from specspan_exporter_grafana.promql import ASSESSED, RANGE, RATE, STEP, findings, share
from specspan_exporter_grafana.queries import Prom, legend_of
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.clauses import spec_of, thresholds
from specspan_exporter_prometheus.promql import increase_over
from specspan_exporter_prometheus.windows import HOUR_S, Pace, window_name

_MAX_TEXT = 2_000


def clause_page(policy: Policy, name: str, bound: ClausePolicy, logs: bool) -> Page:
    """Return the page of a clause that has checks."""
    violated = str(Outcome.VIOLATED)
    rows = [("The clause", (_text(policy, name, bound), *_now(name))), ("Violations", _violations(name))]
    if bound.objective is not None and bound.objective.target < 1:
        rows.append(("Error budget", _budget(name, bound.objective)))
    rows.append(("What was found", (_table(name),)))
    rows.append(("Latest violations", latest_traces("Violations", ((conventions.CLAUSE_PREFIX + name, violated),))))
    if logs:
        attributes = ((conventions.FINDING_CLAUSE, name), (conventions.FINDING_OUTCOME, violated))
        rows.append(log_records("Violations", attributes))
    return Page(("clause", name), f"specspan: {name}", bound.clause.title, tuple(rows), tags=(CLAUSES,))


def _text(policy: Policy, name: str, bound: ClausePolicy) -> Panel:
    spec = spec_of(policy, name)
    text = bound.clause.text
    shown = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + " …"
    objective = (
        "none"
        if bound.objective is None
        else f"{bound.objective.target * 100:.6g} % over {_words(bound.objective.window)}"
    )
    facts = (
        f"**{name}** of {' '.join(filter(None, (spec.id, spec.version)))}: authority {bound.clause.authority},"
        f" severity {bound.severity}, action {bound.action}, mode {policy.mode_of(name)}, objective {objective}."
    )
    quoted = "\n".join(f"> {line}".rstrip() for line in shown.splitlines())
    return Panel(bound.clause.title, "", Kind.TEXT, size=(12, 4), text=f"{facts}\n\n{quoted}\n")


def _violations_of(name: str) -> str:
    return findings(Outcome.VIOLATED, clause=name)


def _assessments_of(name: str) -> str:
    return findings(*ASSESSED, clause=name)


def _now(name: str) -> tuple[Panel, ...]:
    return (
        stat_panel(
            "Violations", "Within the time range.", Prom(increase_over(_violations_of(name), RANGE), instant=True)
        ),
        stat_panel(
            "Assessed",
            "Calls on which it was found complied or violated.",
            Prom(increase_over(_assessments_of(name), RANGE), instant=True),
        ),
        stat_panel(
            "Violated share",
            "Of the calls it was assessed on.",
            Prom(share(_violations_of(name), _assessments_of(name), RANGE), instant=True),
            PERCENT,
        ),
    )


def _violations(name: str) -> tuple[Panel, ...]:
    outcomes = increase_over(findings(clause=name), STEP, by=promql.OUTCOME)
    shares = share(_violations_of(name), _assessments_of(name), RATE, by="job")
    return (
        Panel(
            "Findings by outcome",
            "How many in each bar; points are traces, where exemplars reach Prometheus.",
            Kind.BARS,
            (Prom(outcomes, legend_of(promql.OUTCOME), exemplars=True),),
        ),
        Panel(
            "Violated share",
            "Of the calls it was assessed on, by service.",
            Kind.LINES,
            (Prom(shares, legend_of("job")),),
            PERCENT,
        ),
    )


def _budget(name: str, objective: Objective) -> tuple[Panel, ...]:
    window = Pace().duration(objective.window.total_seconds())
    allowed = f"{1 - objective.target:.10g}"
    left = f"1 - {share(_violations_of(name), _assessments_of(name), window, by='job')} / {allowed}"
    description = f"Of {_words(objective.window)}; below 0, the objective is missed."
    over_time = (Prom(left, legend_of("job")),)
    return (
        stat_panel("Budget left", description, Prom(left, legend_of("job"), instant=True), PERCENT),
        Panel("Budget left", description, Kind.LINES, over_time, PERCENT, (20, 8), is_expensive=True, below_zero=True),
        _burn(name, objective, allowed),
    )


def _burn(name: str, objective: Objective, allowed: str) -> Panel:
    burns = [burn for urgency in ("page", "ticket") for burn, _ in thresholds(objective, urgency)]
    windows_s = sorted({each for burn in burns for each in (burn.long_s, burn.short_s)} or {HOUR_S})
    queries = tuple(
        Prom(
            f"{share(_violations_of(name), _assessments_of(name), Pace().duration(each), by='job')} / {allowed}",
            f"{legend_of('job')} {window_name(each)}",
        )
        for each in windows_s
    )
    alerting = "; ".join(
        f"{burn.factor:g} × over {window_name(burn.long_s)} and {window_name(burn.short_s)}" for burn in burns
    )
    description = f"1: the budget lasts exactly as long as the objective's window. Alerts: {alerting or 'none'}."
    return Panel("Burn rate", description, Kind.LINES, queries, size=WHOLE, is_expensive=True)


def _table(name: str) -> Panel:
    columns = f"{promql.OUTCOME}, {promql.CHECK_KIND}, {promql.SPEC_VERSION}, {promql.SEVERITY}, job"
    counted = f"{increase_over(findings(clause=name), RANGE, by=columns)} > 0"
    return Panel(
        "Findings", "Within the time range.", Kind.TABLE, (Prom(counted, instant=True, table=True),), size=WHOLE
    )


def _words(window: timedelta) -> str:
    return window_name(round(window.total_seconds()))
