"""Deadlines that hold whatever the disk and the backends do, and answers that are true."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ledgers import decision, decision_ids, find_policy, open_in
from recording import MemoryExporter

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_settings import Durability


@pytest.fixture
def hanging_sync(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Have fsync hang until the function is called."""
    go_on = threading.Event()
    sync = files.sync_file

    def hang(descriptor: int) -> None:
        assert go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(files, "sync_file", hang)
    yield go_on.set
    go_on.set()


def test_a_hanging_disk_holds_up_no_call_and_no_flush(tmp_path: Path, hanging_sync: Callable[[], None]) -> None:
    """While fsync hangs calls go on, a flush and a shutdown give up in time, and the flush is not said to be done."""
    ledger = open_in(tmp_path, segment_bytes=1000)
    assert ledger.append(decision(0), find_policy)
    assert not ledger.force_flush(0.05)
    for number in range(1, 20):
        assert ledger.append(decision(number), find_policy)
    assert not ledger.force_flush(0.05)
    ledger.shutdown(0.05)
    assert not ledger.append(decision(20), find_policy)
    assert ledger.accounts() == {"attempted": 21, "recorded": 20, "dropped": {"shutdown": 1}}
    hanging_sync()
    thread = ledger._writer._thread
    assert thread is not None
    thread.join(60)
    assert decision_ids(tmp_path) == [f"d-{number}" for number in range(20)]
    assert ledger.force_flush(0.05)


def test_segments_end_while_others_write(tmp_path: Path) -> None:
    """In the mode `async` the ledger's thread begins new segments; no call does, and the chain goes on."""
    ledger = open_in(tmp_path, segment_bytes=1000)
    for number in range(30):
        assert ledger.append(decision(number), find_policy)
        if number % 10 == 9:
            assert ledger.force_flush(30.0)
    ledger.shutdown(30.0)
    assert decision_ids(tmp_path) == [f"d-{number}" for number in range(30)]
    (stream,) = (tmp_path / files.STREAMS).iterdir()
    assert len(list(stream.iterdir())) >= 3


def test_a_flush_in_a_forked_child_waits_for_no_backend(tmp_path: Path) -> None:
    """A child that has not recorded anything yet flushes on a thread, whatever its backend does."""
    go_on = threading.Event()

    class Hanging(MemoryExporter):
        """Holds on to what it is handed, in a child."""

        def export(self, records: object) -> None:
            if os.getpid() != parent:
                go_on.wait(60)

    parent = os.getpid()
    ledger = open_in(tmp_path)
    ledger.ship_to("memory", Hanging())
    assert ledger.append(decision(0), find_policy)
    assert ledger.force_flush(30.0)
    child = os.fork()
    if not child:
        ledger.append(decision(1), find_policy)
        os._exit(1 if ledger.force_flush(0.05) else 0)
    assert os.waitpid(child, 0)[1] == 0
    ledger.shutdown(30.0)


def test_records_that_nothing_was_written_of_are_flushed_at_once(tmp_path: Path) -> None:
    """A ledger without a record has nothing to flush, and makes no file for it."""
    ledger = open_in(tmp_path, Durability.ASYNC)
    assert ledger.force_flush(0.0)
    assert not (tmp_path / files.STREAMS).exists()
    ledger.shutdown(1.0)
