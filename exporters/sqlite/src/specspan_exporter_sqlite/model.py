"""Values that the reader returns and takes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """Span as it was exported."""

    trace_id: str
    """32 hex digits."""
    span_id: str
    """16 hex digits."""
    parent_span_id: str | None
    name: str
    kind: str
    """``INTERNAL``, ``CLIENT``, …"""
    start_unix_nano: int
    end_unix_nano: int
    status: str
    """``UNSET``, ``OK`` or ``ERROR``."""
    status_message: str | None
    service: str | None
    attributes: Mapping[str, Any]
    events: Sequence[Mapping[str, Any]]
    """Each with ``name``, ``time_unix_nano`` and ``attributes``."""
    links: Sequence[Mapping[str, Any]]
    """Each with ``trace_id``, ``span_id`` and ``attributes``."""
    scope: Mapping[str, Any]
    """``name``, ``version``, ``schema_url`` and ``attributes`` of the instrumentation scope."""
    resource: Mapping[str, Any]
    """Attributes of the resource."""

    @property
    def duration_ns(self) -> int:
        """Duration from start to end."""
        return self.end_unix_nano - self.start_unix_nano


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """Trace in a list."""

    trace_id: str
    short_id: str
    """Shortest prefix of ``trace_id``, of at least 8 digits, that no other trace in the file shares."""
    name: str
    """Name of the root span; where that is not in the file, of the earliest span."""
    service: str | None
    start_unix_nano: int
    end_unix_nano: int
    """End of the span that ended last."""
    spans: int
    verdict: str | None
    """Worst verdict of its decisions; None without decisions."""
    violated: tuple[str, ...]
    """Ids of the violated clauses, sorted."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Filter of a list. All its conditions must hold; clause and outcome must hold for one finding."""

    clause: str | None = None
    """A finding names this clause."""
    outcome: str | None = None
    """A finding has this outcome."""
    verdict: str | None = None
    since_unix_nano: int | None = None
    """Earliest start of a trace, or time of a decision."""
    service: str | None = None
    limit: int = 20
    until_unix_nano: int | None = None
    """Time before which a trace started or a decision was made."""
    model: str | None = None
    """A decision is of a call of this model."""
    after: tuple[int, str] | None = None
    """Time and id of the last item of the page before: the list goes on after it."""


EVERYTHING = Filter()
"""Filter that lets everything pass."""

VERDICTS = ("violated", "error", "uncertain", "unassessed", "complied")
"""Verdicts, the worst first."""

GROUPS = ("clause", "service", "model", "day", "spec_version", "user")
"""Names of what decisions can be grouped by."""
PRUNING = "pruning"
"""Type of the records that say what was removed."""
NO_CHECK = "no_check"
"""Reason of clauses that have no check, which no finding names."""


@dataclass(slots=True)
class ModelUsage:
    """Tokens that calls of one model took, as far as they were told."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0


@dataclass(slots=True)
class Statistics:
    """Counts of one group of decisions; grouped by clause, of the findings about it."""

    name: str | None
    """Name of the group; None for decisions that have none, and where all are one group."""
    calls: int = 0
    """Number of decisions; grouped by clause, of findings."""
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Number of decisions by verdict; grouped by clause, of findings by outcome."""
    violations: int = 0
    """Number of findings that violated a clause."""
    unassessed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Number of findings that assessed nothing by reason, and of clauses without a check."""
    usage: dict[tuple[str, str], ModelUsage] = field(default_factory=lambda: defaultdict(ModelUsage))
    """Tokens by provider and model; grouped by clause, of the calls that violated it."""
    overhead_p50_ns: int | None = None
    """Time that specspan itself cost the caller of half of the calls at most; None where no decision tells it."""
    overhead_p99_ns: int | None = None
    """Time that it cost the caller of 99 in 100 calls at most."""


@dataclass(frozen=True, slots=True)
class DecisionHour:
    """Number of decisions of one service with one verdict in one hour."""

    hour_unix: int
    """Start of the hour, in seconds since 1970."""
    service: str | None
    verdict: str
    decisions: int
    considered: int
    """Number of clauses that these decisions considered, all together."""
    unassessed: int
    """Number of those that nothing assessed when the decision was made."""


@dataclass(frozen=True, slots=True)
class ClauseCount:
    """Number of findings about a clause with one outcome."""

    clause: str
    outcome: str
    findings: int


@dataclass(frozen=True, slots=True)
class JudgeUsage:
    """Judges' own calls of one model."""

    model: str
    requests: int
    cost_usd: float | None
    """None where no call tells its cost."""
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class Pruning:
    """Removal of what is older than a time: what is to go, or what went."""

    before_unix_nano: int
    by: str
    """Who removed it, such as a user and a host."""
    removed: Counter[str] = field(default_factory=Counter)
    """Number of rows by kind: ``decision``, ``finding``, ``span``, ``policy`` and ``record``."""
    kept_policies: int = 0
    """Number of policy records that stay."""
    first_unix_nano: int | None = None
    """Time of the earliest decision or span that was removed."""
    last_unix_nano: int | None = None
    """Time of the latest one."""
    size_before_bytes: int = 0
    size_after_bytes: int = 0
    problem: str | None = None
    """Reason why the space was not given back; None where it was."""
    id: str = field(default_factory=lambda: str(uuid4()))

    def add_times(self, first: int | None, last: int | None) -> None:
        """Take the times of more that was removed."""
        if first is not None and last is not None:
            self.first_unix_nano = min(first, first if self.first_unix_nano is None else self.first_unix_nano)
            self.last_unix_nano = max(last, last if self.last_unix_nano is None else self.last_unix_nano)

    def to_record(self, time_unix_nano: int) -> dict[str, Any]:
        """Return what is kept of the removal in the store."""
        return {
            "v": 2,
            "type": PRUNING,
            "id": self.id,
            "time_unix_nano": time_unix_nano,
            "by": self.by,
            "before_unix_nano": self.before_unix_nano,
            "first_unix_nano": self.first_unix_nano,
            "last_unix_nano": self.last_unix_nano,
            "removed": dict(self.removed),
        }
