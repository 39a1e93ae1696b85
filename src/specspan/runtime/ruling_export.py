"""Export of rulings: into the store, and to whatever the environment's variables name for spans, logs and metrics."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

from specspan._support.guard import guard
from specspan._support.process import ForkedLock
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingResult
from specspan.review.review_telemetry import ReviewTelemetry
from specspan.runtime.environment import read_environment
from specspan.runtime.otel_providers import Providers, resolve_providers
from specspan.stores.opening import kind_name, store_address

_SERVICE = "specspan-review"
_CLOSING_S = 5.0


class RulingExport:
    """Writer of rulings whose providers are made with the first ruling."""

    def __init__(self, db: str | os.PathLike[str] | None = None) -> None:
        """Open nothing yet. ``db`` is the store that holds the reviews, which gets the spans in any case."""
        self._address = store_address(db)
        self._lock = ForkedLock()
        self._providers: Providers | None = None
        self._telemetry: ReviewTelemetry | None = None

    def write(self, result: RulingResult, decision: Mapping[str, Any]) -> None:
        """Write a ruling. An exporter that cannot be made is logged, and the ruling stands."""
        with guard("review.telemetry"):
            with self._lock.held:
                if self._telemetry is None:
                    self._telemetry = self._open()
            self._telemetry.write(result, decision)

    def close(self) -> None:
        """Hand over what waits."""
        with self._lock.held:
            providers, self._providers, self._telemetry = self._providers, None, None
        if providers is not None:
            with guard("review.telemetry"):
                providers.shutdown(_CLOSING_S)

    def _open(self) -> ReviewTelemetry:
        environment = read_environment({**os.environ, "SPECSPAN_DB": self._address})
        environment = replace(environment.with_store(kind_name(self._address)), sampling=None)
        name = None if os.environ.get("OTEL_SERVICE_NAME") else _SERVICE
        self._providers = resolve_providers(environment, service_name=name, db=self._address)
        return ReviewTelemetry(self._providers.tracer, self._providers.logger, self._providers.meter)


@contextmanager
def recording_queue(db: str | os.PathLike[str] | None = None) -> Iterator[ReviewQueue]:
    """Yield the queue of a store, whose rulings are exported when the block ends."""
    with closing(RulingExport(db)) as export, closing(ReviewQueue(db, telemetry=export)) as queue:
        yield queue
