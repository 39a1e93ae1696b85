"""Delivery from the ledger to backends: in order, at least once, whatever becomes of backends and processes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ledgers import POLICY, decision, find_policy, last_segment, open_in, write
from recording import MemoryExporter

from specspan._support import drop_counts
from specspan.ledger import ledger_files as files
from specspan.ledger.delivery import CURSORS, SET_ASIDE, Delivery
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.shipping import Shipper
from specspan.ledger.stream_files import stream_names


class Backend(MemoryExporter):
    """Exporter that does not take what it is told not to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False
        self.poison: str | None = None
        self.batches: list[int] = []
        self.error: Exception = OSError("no backend")

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.batches.append(len(records))
        if self.is_down or any(record["id"] == self.poison for record in records):
            raise self.error
        super().export(records)

    @property
    def ids(self) -> list[str]:
        """Return the ids of decisions, in the order in which they came."""
        return [str(record["id"]) for record in self.records if record["type"] == "decision"]


def ids(*numbers: int) -> list[str]:
    """Return the ids of decisions with these numbers."""
    return [f"d-{number}" for number in numbers]


def test_backends_are_fed_from_the_ledger(tmp_path: Path) -> None:
    """After a flush the backend has every decision after its policy, with the time as a number."""
    backend = Backend()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    for number in range(3):
        ledger.append(decision(number), find_policy)
    assert ledger.force_flush(10.0)
    assert backend.records[0] == POLICY
    assert backend.records[1] == decision(0)
    assert backend.ids == ids(0, 1, 2)
    ledger.append(decision(3), find_policy)
    ledger.shutdown(10.0)
    assert (backend.ids, backend.closed) == (ids(0, 1, 2, 3), 1)


def test_an_outage_loses_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the backend is down a flush is not done; when it is back it gets everything, in order. Logged once."""
    backend = Backend()
    backend.is_down = True
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    with caplog.at_level(logging.WARNING, "specspan"):
        for number in range(5):
            assert ledger.append(decision(number), find_policy)
            assert not ledger.force_flush(0.05)
        backend.is_down = False
        assert ledger.force_flush(10.0)
    assert backend.ids == ids(*range(5))
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split(";")[0] for message in messages] == [
        "memory does not take decisions",
        "memory takes decisions again, and has them all",
    ]
    ledger.shutdown(10.0)


def test_what_no_backend_took_is_delivered_by_the_next_start(tmp_path: Path) -> None:
    """A process that ends in an outage leaves its decisions to the next one, which has not to make any itself."""
    backend = Backend()
    backend.is_down = True
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    ledger.append(decision(1), find_policy)
    ledger.shutdown(10.0)
    backend = Backend()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    assert ledger.force_flush(10.0)
    assert backend.ids == ids(1)
    ledger.shutdown(10.0)
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    assert ledger.force_flush(10.0)
    assert backend.ids == ids(1)
    ledger.shutdown(10.0)


def test_what_a_killed_process_left_is_delivered_by_the_next_start(tmp_path: Path) -> None:
    """A stream that was not ended is recovered and delivered."""
    ledger = open_in(tmp_path, interval_s=60.0)
    for number in range(3):
        ledger.append(decision(number), find_policy)
    ledger._writer.after_fork()
    backend = Backend()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    assert ledger.force_flush(10.0)
    assert backend.ids == ids(0, 1, 2)
    ledger.shutdown(10.0)


def test_delivery_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Each backend has a place of its own in each stream, over segments and batches."""
    write(tmp_path, range(1200), mode=Durability.DURABLE, segment_bytes=100_000)
    (stream,) = stream_names(tmp_path)
    backend = Backend()
    delivery = Delivery(tmp_path, "memory", backend)
    assert delivery.deliver(stream)
    assert backend.ids == ids(*range(1200))
    assert max(backend.batches) <= 512
    assert delivery.undelivered([stream]) == []
    other = Backend()
    assert Delivery(tmp_path, "other", other).deliver(stream)
    assert other.ids == ids(*range(1200))
    again = Backend()
    assert Delivery(tmp_path, "memory", again).deliver(stream)
    assert again.records == []


def test_a_cursor_that_is_torn_delivers_again(tmp_path: Path) -> None:
    """A backend that may have everything is handed it again: at least once, with the same ids."""
    write(tmp_path, range(3))
    (stream,) = stream_names(tmp_path)
    folder = tmp_path / CURSORS / "memory"
    files.make_folder(folder.parent)
    files.make_folder(folder)
    (folder / f"{stream}.json").write_text('{"segm')
    backend = Backend()
    assert Delivery(tmp_path, "memory", backend).deliver(stream)
    assert backend.ids == ids(0, 1, 2)


def test_one_process_at_a_time_delivers_a_stream(tmp_path: Path) -> None:
    """Who comes second leaves the stream to the first, and is told so."""
    ledger = open_in(tmp_path)
    ledger.append(decision(1), find_policy)
    (stream,) = stream_names(tmp_path)
    backend = Backend()
    first, second = Delivery(tmp_path, "memory", backend), Delivery(tmp_path, "memory", backend)
    assert first.deliver(stream)
    assert not second.deliver(stream)
    first.close()
    ledger.append(decision(2), find_policy)
    assert second.deliver(stream)
    assert backend.ids == ids(1, 2)
    second.close()
    ledger.shutdown(10.0)


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    """What is not a whole line yet is delivered when it is."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(1), find_policy)
    path = last_segment(tmp_path)
    data = path.read_bytes()
    (stream,) = stream_names(tmp_path)
    backend = Backend()
    delivery = Delivery(tmp_path, "memory", backend)
    os.truncate(path, len(data) - 20)
    assert delivery.deliver(stream)
    assert backend.ids == []
    path.write_bytes(data)
    assert delivery.deliver(stream)
    assert backend.ids == ids(1)
    delivery.close()
    ledger.shutdown(10.0)


def test_a_record_that_no_backend_takes_does_not_stop_the_others(tmp_path: Path) -> None:
    """After three attempts the records of a batch are tried one by one; the one that fails is set aside and counted."""
    write(tmp_path, range(5))
    (stream,) = stream_names(tmp_path)
    backend = Backend()
    backend.poison, backend.error = "d-2", ValueError("too strange")
    delivery = Delivery(tmp_path, "memory", backend)
    before = drop_counts.totals().get(("decision", "set_aside"), 0)
    for _ in range(2):
        with pytest.raises(ValueError, match="too strange"):
            delivery.deliver(stream)
    assert delivery.deliver(stream)
    assert backend.ids == ids(0, 1, 3, 4)
    assert drop_counts.totals()["decision", "set_aside"] == before + 1
    line = (tmp_path / SET_ASIDE / "memory.jsonl").read_text()
    assert line == '{"id":"d-2","reason":"ValueError(\'too strange\')"}\n'


def test_an_outage_is_not_taken_for_strange_records(tmp_path: Path) -> None:
    """Where all records of a batch fail, however often, none is set aside."""
    write(tmp_path, range(40))
    (stream,) = stream_names(tmp_path)
    backend = Backend()
    backend.is_down = True
    delivery = Delivery(tmp_path, "memory", backend)
    for _ in range(5):
        with pytest.raises(OSError, match="no backend"):
            delivery.deliver(stream)
    backend.is_down = False
    assert delivery.deliver(stream)
    assert backend.ids == ids(*range(40))
    assert not (tmp_path / SET_ASIDE).exists()


def test_the_wait_grows_and_a_backend_may_ask_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each failure the thread waits twice as long, half a minute at most, or as long as the backend asks."""
    write(tmp_path, range(1))
    backend = Backend()
    backend.is_down = True
    shipper = Shipper(tmp_path, "memory", backend, list)
    waits = []
    for _ in range(8):
        shipper._round()
        waits.append(shipper._delay_s)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    monkeypatch.setattr(backend.error, "retry_after_s", 7, raising=False)
    shipper._round()
    assert shipper._delay_s == 7.0
    backend.is_down = False
    shipper._round()
    assert shipper._delay_s == 0.5


def test_a_forked_child_delivers_its_own(tmp_path: Path) -> None:
    """Parent and child each deliver their stream, and neither the other's."""
    ledger = open_in(tmp_path)
    backend = Backend()
    ledger.ship_to("memory", backend)
    ledger.append(decision(1), find_policy)
    assert ledger.force_flush(10.0)
    child = os.fork()
    if not child:
        backend.records.clear()
        ledger.append(decision(2), find_policy)
        done = ledger.force_flush(10.0) and backend.ids == ids(2)
        os._exit(0 if done else 1)
    assert os.waitpid(child, 0)[1] == 0
    ledger.append(decision(3), find_policy)
    ledger.shutdown(10.0)
    assert backend.ids == ids(1, 3)


def test_a_hanging_backend_holds_up_nothing(tmp_path: Path) -> None:
    """Calls, flush and shutdown keep their times beside a backend that never answers; the decisions stay."""
    go_on = threading.Event()

    class Hanging(MemoryExporter):
        """Holds on to what it is handed."""

        def export(self, records: Sequence[Mapping[str, Any]]) -> None:
            go_on.wait(60)
            raise OSError("too late")

    ledger = open_in(tmp_path)
    ledger.ship_to("memory", Hanging())
    assert ledger.append(decision(1), find_policy)
    assert not ledger.force_flush(0.1)
    ledger.shutdown(0.2)
    go_on.set()
    ledger._shippers[0].shutdown(10.0)
    backend = Backend()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    assert ledger.force_flush(10.0)
    assert backend.ids == ids(1)
    ledger.shutdown(10.0)


def test_without_threads_a_flush_delivers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, flush and shutdown deliver themselves."""
    monkeypatch.setattr("specspan.ledger.shipping.start_thread", lambda *_: False)
    backend = Backend()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", backend)
    ledger.append(decision(1), find_policy)
    assert ledger.force_flush(10.0)
    assert backend.ids == ids(1)
    ledger.append(decision(2), find_policy)
    ledger.shutdown(10.0)
    assert (backend.ids, backend.closed) == (ids(1, 2), 1)
