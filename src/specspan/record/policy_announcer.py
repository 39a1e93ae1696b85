"""Announcement of policy records to one exporter: always before the first decision that names one, and again in time.

What a backend loses, or a file that somebody empties, it gets again; a record that came before is told by its id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from specspan._support import process
from specspan.record.export import DecisionExporter

Record = Mapping[str, Any]

DECISIONS_BETWEEN: Final = 10_000
"""Number of decisions after which the record of their policy is handed over again."""
SECONDS_BETWEEN: Final = 600.0
"""Time after which it is handed over again with the next decision."""


class PolicyAnnouncer:
    """Exporter's front that completes batches with the policy records that are due."""

    def __init__(
        self,
        exporter: DecisionExporter,
        find: Callable[[str], Record | None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know nothing of what the exporter has. ``find`` returns the policy record of an id."""
        self.exporter = exporter
        self._find = find
        self._now_s = now_s
        self._exported: dict[str, tuple[float, int]] = {}
        """By id of a policy record, when it was exported, and the number of decisions that named it since."""
        process.after_fork(self)

    def export(self, records: Sequence[Record]) -> None:
        """Export ``records``, with each policy record that is due before the first decision that names it."""
        complete = list(self._complete(records))
        self.exporter.export(complete)
        for record in complete:
            self._note(record)

    def after_fork(self) -> None:
        """Begin anew: in a forked child the exporter may write elsewhere."""
        self._exported = {}

    def _note(self, record: Record) -> None:
        if record["type"] == "policy":
            self._exported[record["id"]] = self._now_s(), 0
        elif (name := _policy_of(record)) in self._exported:
            exported_s, decisions = self._exported[name]
            self._exported[name] = exported_s, decisions + 1

    def _complete(self, records: Sequence[Record]) -> Iterator[Record]:
        present = set()
        for record in records:
            if record["type"] == "policy":
                present.add(record["id"])
            elif (name := _policy_of(record)) is not None and name not in present:
                present.add(name)
                policy = self._find(name) if self._is_due(name) else None
                if policy is not None:
                    yield policy
            yield record

    def _is_due(self, name: str) -> bool:
        if name not in self._exported:
            return True
        exported_s, decisions = self._exported[name]
        return decisions >= DECISIONS_BETWEEN or self._now_s() - exported_s >= SECONDS_BETWEEN


def _policy_of(record: Record) -> str | None:
    """Return the id of the policy record that a decision names."""
    policy = record.get("policy")
    name: str | None = policy.get("record") if policy else None
    return name
