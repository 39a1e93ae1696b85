"""Protocols of a kind of store and of its reader: all that commands and `configure` know of where records are kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from specspan.sqlite.call_groups import CallGroup
from specspan.sqlite.clause_calls import ClauseCall
from specspan.sqlite.model import (
    ClauseCount,
    DecisionHour,
    Filter,
    JudgeUsage,
    Pruning,
    Statistics,
    StoredSpan,
    TraceSummary,
)
from specspan.stores.transactions import Transactions

Record = Mapping[str, Any]


class StoreReader(Protocol):
    """Store that is open for reading, also while others write it.

    Its methods raise `specspan.errors.StoreError` when the store can no longer be read.
    """

    @property
    def name(self) -> str:
        """Name of the store in messages: a path, or a URL without its password."""

    def traces(self, wanted: Filter) -> list[TraceSummary]:
        """Return traces, the one that began last first."""

    def trace_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of traces that begin with ``prefix``, sorted."""

    def short_trace_id(self, trace_id: str) -> str:
        """Return the shortest prefix of an id, of at least 8 digits, that no other trace shares."""

    def spans(self, trace_id: str) -> list[StoredSpan]:
        """Return every span of a trace, the earliest first."""

    def decisions(self, wanted: Filter) -> list[Record]:
        """Return decision records, the latest first, with every finding in full."""

    def iter_decisions(self, since_unix_nano: int | None = None) -> Iterator[Record]:
        """Yield every decision record since a time, the earliest first."""

    def decision_ids(self, prefix: str, limit: int = 5) -> list[str]:
        """Return ids of decisions that begin with ``prefix``, sorted."""

    def short_decision_id(self, decision_id: str) -> str:
        """Return the shortest prefix of an id, of at least 8 digits, that no other decision shares."""

    def decision(self, decision_id: str) -> Record:
        """Return the decision record of an id; raise KeyError where it is unknown."""

    def decisions_of(self, trace_id: str) -> list[Record]:
        """Return the decision records of a trace, the earliest first."""

    def statistics(self, by: str | None = None, since_unix_nano: int | None = None) -> list[Statistics]:
        """Return counts of decisions: one group, or a group for each value of one of `GROUPS`."""

    def clause_calls(
        self, clause: str, since_unix_nano: int | None = None, until_unix_nano: int | None = None
    ) -> Iterator[ClauseCall]:
        """Yield the calls that a clause has an outcome for, from a time up to another, the earliest first."""

    def call_groups(self, since_unix_nano: int, until_unix_nano: int) -> Iterator[CallGroup]:
        """Yield groups of calls that were decided alike, from a time up to another, with the number of each."""

    def clauses(self) -> list[str]:
        """Return the id of each clause that a decision or a policy names, sorted."""

    def services(self) -> list[str]:
        """Return the name of each service that a span or a decision is of, sorted."""

    def policies(self, digests: Iterable[str]) -> list[Record]:
        """Return the policy records of policy digests, the latest first."""

    def other_records(self, type_: str, since_unix_nano: int | None = None) -> list[Record]:
        """Return the records of a type without a table of its own, since a time, the latest first."""

    def prunings(self) -> list[Record]:
        """Return the record of each removal of old decisions and spans, the latest first."""

    def decision_hours(self, since_unix_nano: int = 0) -> list[DecisionHour]:
        """Return counts of decisions from the hour of a time on, the earliest first."""

    def clause_counts(self, since_unix_nano: int = 0, outcome: str | None = None) -> list[ClauseCount]:
        """Return counts of findings by clause and outcome, from the hour of a time on, in the order of clauses."""

    def policy_activations(self) -> list[Record]:
        """Return the policy record of each moment at which one came into force, the earliest first."""

    def judge_usage(self, since_unix_nano: int = 0) -> list[JudgeUsage]:
        """Return what judges' own calls took since a time, by model."""

    def models(self) -> list[str]:
        """Return the name of each model that a decision is of, sorted."""


class StoreKind(Protocol):
    """Kind of store: a module of `specspan.stores.kinds`, or an entry point of the group ``specspan_stores``.

    An entry point bears the name of a URL's scheme.
    """

    NAME: str
    """Name of its exporter of decisions; that of spans is ``specspan_`` and the name."""
    SCHEMES: Sequence[str]
    """Schemes of the URLs that name such a store."""

    def open_reader(self, address: str) -> AbstractContextManager[StoreReader]:
        """Open a store for reading, until the block ends.

        Raises:
            EmptyStore: nothing was ever recorded in it.
            StoreError: it cannot be read; the message says what to do.
        """

    def check_address(self, address: str) -> None:
        """Refuse a store that could not be written, as far as can be known at once; nothing is made.

        Raises:
            ConfigurationError: the address is invalid, or what it names cannot be written.
        """

    def open_transactions(self, address: str) -> Transactions:
        """Return a store's short transactions; the first one opens it.

        Raises:
            ConfigurationError: the address is invalid.
        """

    def preview_pruning(self, address: str, before_unix_nano: int, by: str) -> Pruning:
        """Return what `prune` would remove; nothing is changed.

        Raises:
            EmptyStore, StoreError: as `open_reader`.
        """

    def prune(self, address: str, before_unix_nano: int, by: str) -> Pruning:
        """Remove decisions and spans from before a time, beside living writers, and give the space back.

        Raises:
            EmptyStore, StoreError: as `open_reader`, or it cannot be written. What was removed by then is on record.
        """
