"""Spec: the document with the figures of each clause beside it, and two versions side by side."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.responses import Response

from specspan.console.spec_comparison import compare
from specspan.console.time_ranges import RANGES, choose_range
from specspan.console.visit import NavigationEntry, Visit, page_route
from specspan.spec.spec import Spec
from specspan.sqlite.model import ClauseCount

_MAX_AGE_S = 10.0
_DEFAULT_RANGE = "30d"


@dataclass(frozen=True, slots=True)
class ClauseFigures:
    """Findings about one clause."""

    outcomes: Mapping[str, int]

    @property
    def total(self) -> int:
        """Number of findings, those that assessed nothing included."""
        return sum(self.outcomes.values())

    @property
    def decided(self) -> int:
        """Number of findings that say whether the clause was kept."""
        return self.outcomes.get("complied", 0) + self.outcomes.get("violated", 0)


def spec(visit: Visit) -> Response:
    """Return the document with its figures, or the comparison of two versions."""
    known = visit.console.specs.by_digest()
    in_force = _in_force(visit)
    ordered = sorted(known.values(), key=lambda each: (each.digest not in in_force, each.id, each.version or ""))
    if not ordered:
        return visit.page("spec.html", specs=(), shown=None)
    shown = _chosen(known, visit.parameter("digest")) or ordered[0]
    old = _chosen(known, visit.parameter("old"))
    if old is not None:
        return visit.page("spec_comparison.html", specs=ordered, old=old, new=shown, compared=compare(old, shown))
    chosen = choose_range(visit.parameter("range") or _DEFAULT_RANGE, None, time.time_ns())
    since = chosen.since_unix_nano(time.time_ns())
    counts = visit.console.answers.get(
        ("clause counts", chosen.name), _MAX_AGE_S, lambda: visit.reader.clause_counts(since)
    )
    return visit.page(
        "spec.html",
        specs=ordered,
        shown=shown,
        in_force=in_force,
        figures=clause_figures(counts, shown),
        ranges=RANGES,
        chosen=chosen,
    )


def clause_figures(counts: Iterable[ClauseCount], spec: Spec) -> dict[str, ClauseFigures]:
    """Return figures by the id of a clause in one spec. A policy with several specs names clauses ``spec:clause``."""
    outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in counts:
        outcomes[each.clause.removeprefix(f"{spec.id}:")][each.outcome] += each.findings
    return {clause: ClauseFigures(outcomes[clause]) for clause in spec.clauses if clause in outcomes}


def _in_force(visit: Visit) -> frozenset[str]:
    """Return the digests of the specs of the latest policy of each service."""
    activations = visit.console.answers.get("activations", _MAX_AGE_S, visit.reader.policy_activations)
    latest = {str((each.get("service") or {}).get("name")): each for each in activations}
    return frozenset(str(ref.get("digest")) for each in latest.values() for ref in each.get("spec") or ())


def _chosen(known: Mapping[str, Spec], digest: str) -> Spec | None:
    if not digest:
        return None
    if digest not in known:
        raise HTTPException(404, f"No spec with the digest {digest!r} is at hand. Name its file with --spec.")
    return known[digest]


NAVIGATION = NavigationEntry(30, "/spec", "Spec")
ROUTES = [page_route("/spec", spec)]
