"""Runbooks: a page for every clause that alerts, and one about specspan itself."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.decision import Severity
from specspan.policy.policy import ClausePolicy, Policy
from specspan_exporter_prometheus.clauses import spec_of, thresholds
from specspan_exporter_prometheus.links import HEALTH, page_name
from specspan_exporter_prometheus.windows import window_name


def runbooks_of(policy: Policy) -> dict[str, str]:
    """Return the pages by file name."""
    pages = {
        page_name(name): _page(policy, name, bound)
        for name, bound in policy.clauses.items()
        if bound.checks and (bound.objective is not None or bound.severity is Severity.CRITICAL)
    }
    return pages | {page_name(HEALTH): _HEALTH_PAGE}


def _page(policy: Policy, name: str, bound: ClausePolicy) -> str:
    spec = spec_of(policy, name)
    checks = (
        f"- `{check.ref.name}` ({check.ref.mechanism}, version {check.ref.version}), {check.traits.stage}"
        for check in (binding.check for binding in bound.checks)
    )
    return _PAGE.format(
        name=name,
        clause=bound.clause,
        spec=" ".join(filter(None, (spec.id, spec.version))),
        digest=spec.digest,
        bound=bound,
        mode=policy.mode_of(name),
        text="\n".join(f"> {line}".rstrip() for line in bound.clause.text.splitlines()),
        occasions="\n".join(_occasions(bound)),
        checks="\n".join(checks),
    )


def _occasions(bound: ClausePolicy) -> Iterator[str]:
    if bound.severity is Severity.CRITICAL:
        yield "- Any violation pages."
    if bound.objective is None:
        return
    yield f"- Objective: {bound.objective.target * 100:.6g} % of the calls it is checked on comply."
    for urgency in ("page", "ticket"):
        for burn, share in thresholds(bound.objective, urgency):
            yield (
                f"- A {urgency}: {share * 100:.6g} % or more violate it, over {window_name(burn.long_s)} and over"
                f" {window_name(burn.short_s)} ({burn.factor:g} × the error budget);"
                f" at least {burn.min_violations} calls."
            )


_PAGE = """\
# {clause.title} (`{name}`)

A clause of {spec} (`{digest}`) at the level {clause.authority}; severity {bound.severity}, action {bound.action},
mode {mode}.

## What it says

{text}

## When it alerts

{occasions}

## What finds it

{checks}

## What to do

1. Open the traces the alert links to, or search for `specspan.clause.{name}=violated`; from the command line:
   `specspan decisions list --clause {name}`.
2. Read `specspan.finding` in a trace: which check found what, where, and what was done about it.
3. Compare `specspan.spec.version` and `specspan.policy.digest` with those before it began.
4. A true violation: stop it at its cause, or set the clause's action to `block`. A false alarm: mend the check.
"""

_HEALTH_PAGE = """\
# specspan itself

| alert | what happened | what to look at |
|---|---|---|
| `SpecspanAbsent` | no service's findings reach Prometheus | scrape targets, or the Collector between |
| `SpecspanServiceGone` | one service's findings reach it no more | is it down, or is its exporter? |
| `SpecspanChecksSilent` | calls are decided, no check says anything | a changed policy; `specspan policy coverage` |
| `SpecspanChecksFailing` | checks raise, run out of time, return nonsense | the application's log names the error |
| `SpecspanUnassessed` | half of the calls or more are unassessed | `specspan policy coverage`; unreadable answers |
| `SpecspanOverrideRefused` | somebody wanted a clause set aside who may not | a mistake, or an attack |
| `SpecspanRecordsDropped` | records or measurements were lost | a slow backend, a full queue: see the reason |
| `SpecspanPolicyStale` | the policy's files were refused | `specspan policy check` says why |
"""
