"""Record of who saw content, written into the store before it is shown."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from specspan.errors import EmptyStore
from specspan.stores.opening import find_kind
from specspan.stores.oversight_events import OversightEvent, append_event, events_of_kind, new_event_id
from specspan.stores.people import Person

VIEWED = "viewed"
"""Kind of the records that say who saw the content of a call."""


class AuditLog:
    """Record of what people saw in a console: kept with the record of oversight, which is only added to."""

    def __init__(self, db: str) -> None:
        self._transactions = find_kind(db).open_transactions(db)

    def record_view(self, person: Person, page: str, ids: Mapping[str, Any]) -> None:
        """Record that somebody is about to see content.

        Raises:
            StoreError: the store cannot be written. Whoever asks must not show the content then.
        """
        event_id = new_event_id()
        detail = {"role": person.role.value, "page": page, **ids}
        event = OversightEvent(event_id, 1, event_id, VIEWED, time.time_ns(), person.name, detail)
        self._transactions.write(lambda statements: append_event(statements, event))

    def views(self, limit: int, before: tuple[int, str] | None = None) -> list[OversightEvent]:
        """Return who saw what, the latest first.

        Raises:
            StoreError: the store cannot be read.
        """
        try:
            return self._transactions.read(lambda statements: events_of_kind(statements, VIEWED, limit, before))
        except EmptyStore:  # nothing was ever written into its tables of oversight
            return []

    def close(self) -> None:
        """Give the connections to the store back."""
        self._transactions.close()
