"""History of one clause over a time: what an incident knows, from one pass over its calls."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from specspan.incidents.call_versions import Version, versions_of
from specspan.sqlite.clause_calls import ClauseCall
from specspan.sqlite.references import HOUR_NS

VIOLATED = "violated"
_DECIDED = frozenset({"violated", "complied"})
EXAMPLES = 5
"""Number of violating calls that are named."""
SPANS = 1000
"""Number of violating calls whose spans are remembered."""


@dataclass(slots=True)
class Tally:
    """Calls of one group."""

    decided: int = 0
    """Number of calls of which the clause was found violated or complied with."""
    violated: int = 0
    first_unix_nano: int = 0
    """Time of the earliest decided call."""
    last_unix_nano: int = 0

    def add(self, time_unix_nano: int, *, is_violated: bool) -> None:
        """Count one decided call."""
        self.first_unix_nano = time_unix_nano if not self.decided else min(self.first_unix_nano, time_unix_nano)
        self.last_unix_nano = max(self.last_unix_nano, time_unix_nano)
        self.decided += 1
        self.violated += is_violated


@dataclass(slots=True)
class ClauseHistory:
    """Calls of one clause from a time to another, of which the later part is told apart."""

    clause: str
    split_unix_nano: int = 0
    """Time at which the later part begins."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Number of calls by outcome of the clause."""
    total: Tally = field(default_factory=Tally)
    after: Tally = field(default_factory=Tally)
    """Calls of the later part."""
    hours: dict[int, Tally] = field(default_factory=dict)
    """Tally of each hour, by its start in seconds since 1970."""
    services: dict[str, Tally] = field(default_factory=dict)
    """Tally of the later part by service."""
    models: dict[str, Tally] = field(default_factory=dict)
    """Tally of the later part by model."""
    combinations: dict[frozenset[Version], Tally] = field(default_factory=dict)
    """Tally of each combination of versions: calls that were made and decided alike."""
    first_unix_nano: int | None = None
    """Time of the first violation of the later part; None without one."""
    last_unix_nano: int | None = None
    examples: list[str] = field(default_factory=list)
    """Ids of the first violating decisions of the later part, `EXAMPLES` at most."""
    violating_spans: list[tuple[str, str]] = field(default_factory=list)
    """Trace and span of violating calls of the later part, `SPANS` at most."""
    policies: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Records of the policies under which it was decided, by the digest of the policy."""

    @property
    def missing_policies(self) -> list[str]:
        """Return the digests of policies whose record is missing: nothing is known of their clauses and checks."""
        return sorted(digest for digest, record in self.policies.items() if not record)


def read_history(calls: Iterable[ClauseCall], clause: str, split_unix_nano: int = 0) -> ClauseHistory:
    """Return the history of a clause from its calls, which are read once and not kept."""
    history = ClauseHistory(clause, split_unix_nano)
    versions: dict[tuple[int, int, int, str | None], frozenset[Version]] = {}
    kept: list[Any] = []  # so that no other object gets the identity of one that was looked at
    hours: dict[int, Tally] = defaultdict(Tally)
    services: dict[str, Tally] = defaultdict(Tally)
    models: dict[str, Tally] = defaultdict(Tally)
    combinations: dict[frozenset[Version], Tally] = defaultdict(Tally)
    for call in calls:
        history.outcomes[call.outcome] += 1
        if call.outcome not in _DECIDED:
            continue
        key = (id(call.shared), id(call.policy), id(call.resource), call.model)
        combination = versions.get(key)
        if combination is None:
            combination = versions[key] = versions_of(call, clause)
            kept.append((call.shared, call.policy, call.resource))
            history.policies[str((call.shared.get("policy") or {}).get("digest"))] = dict(call.policy)
        is_violated = call.outcome == VIOLATED
        tallies = [history.total, hours[call.time_unix_nano // HOUR_NS * 3600], combinations[combination]]
        if call.time_unix_nano >= split_unix_nano:
            service = str((call.shared.get("service") or {}).get("name") or "unknown")
            tallies += history.after, services[service], models[call.model or "unknown"]
            if is_violated:
                _add_violation(history, call)
        for tally in tallies:
            tally.add(call.time_unix_nano, is_violated=is_violated)
    history.hours, history.services, history.models = dict(sorted(hours.items())), dict(services), dict(models)
    history.combinations = dict(combinations)
    return history


def _add_violation(history: ClauseHistory, call: ClauseCall) -> None:
    when = call.time_unix_nano
    history.first_unix_nano = when if history.first_unix_nano is None else min(history.first_unix_nano, when)
    history.last_unix_nano = when if history.last_unix_nano is None else max(history.last_unix_nano, when)
    if len(history.examples) < EXAMPLES:
        history.examples.append(call.decision_id)
    if call.trace_id and call.span_id and len(history.violating_spans) < SPANS:
        history.violating_spans.append((call.trace_id, call.span_id))
