"""Queue of records that wait for whoever has the writer's lock."""

from __future__ import annotations

from collections import deque
from typing import Final

from specspan.ledger.ledger_entry import POLICY, Entry

_MAX_GROUP: Final = 4096


class EntryQueue(deque[Entry]):
    """Queue of records, which knows the policies that the stream has already."""

    def __init__(self) -> None:
        super().__init__()
        self.policies: set[str] = set()
        """Ids of those in the stream."""

    def group(self) -> list[Entry]:
        """Return what is to be written next, each record once: whoever is interrupted appends a record again."""
        queued = tuple(self) if len(self) <= 1 else dict.fromkeys(tuple(self)[:_MAX_GROUP])
        return [entry for entry in queued if not self._is_superfluous(entry)]

    def forget_done(self) -> None:
        """Take the records from the front that are written or lost."""
        while self and self[0].is_done:
            entry = self[0]
            if entry.type == POLICY and entry.key is not None and entry.loss is None:
                self.policies.add(entry.key)
            self.popleft()

    def _is_superfluous(self, entry: Entry) -> bool:
        if entry.type == POLICY and entry.key in self.policies:
            entry.is_written = True
        return entry.is_done
