"""Metrics of the ledger: attempted = recorded + dropped, and the backends that take nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ledgers import decision, find_policy, open_in
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from recording import MemoryExporter

from specspan.record.recorder import Recorder
from specspan.record.settings import Settings


class Broken(MemoryExporter):
    """Takes nothing."""

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        raise ValueError("broken")


def points(reader: InMemoryMetricReader, name: str) -> dict[tuple[str, ...], float]:
    """Return the values of a metric by those of its attributes."""
    data = reader.get_metrics_data()
    scopes = [scope for each in data.resource_metrics for scope in each.scope_metrics] if data else []
    found = [metric for scope in scopes for metric in scope.metrics]
    return {
        tuple(str(each) for each in (point.attributes or {}).values()): point.value  # type: ignore[union-attr]
        for metric in found
        if metric.name == name
        for point in metric.data.data_points
    }


def test_every_decision_was_recorded_or_dropped(tmp_path: Path) -> None:
    """The counter has what was recorded and each reason of a loss; after the end it has nothing more to say."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    ledger = open_in(tmp_path)
    recorder = Recorder(Settings(), meter_provider=provider, ledger=ledger)
    for number in range(3):
        ledger.append(decision(number), find_policy)
    ledger.drop("internal")
    assert points(reader, "specspan.ledger.decisions") == {("recorded",): 3, ("dropped", "internal"): 1}
    recorder.shutdown()
    assert points(reader, "specspan.ledger.decisions") == {}
    provider.shutdown()


def test_a_backend_that_takes_nothing_is_seen(tmp_path: Path) -> None:
    """The gauge is above zero while a backend is down, and zero for one that takes what there is."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    ledger = open_in(tmp_path)
    recorder = Recorder(Settings(), meter_provider=provider, ledger=ledger)
    ledger.ship_to("memory", MemoryExporter())
    ledger.ship_to("broken", Broken())
    ledger.append(decision(1), find_policy)
    assert not ledger.force_flush(0.05)
    ledger._shippers[1]._round()
    found = points(reader, "specspan.ledger.outage")
    assert found["memory",] == 0
    assert found["broken",] > 0
    recorder.shutdown()
    provider.shutdown()
