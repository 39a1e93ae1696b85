"""Staging of records in a mapped file: they are chained later, and outlive the process, a full disk and forks."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import decision, decision_ids, environment, find_policy, last_segment, open_in, records, states

from specspan.ledger import ledger_files as files
from specspan.ledger import staging
from specspan.ledger.decision_ledger import DecisionLedger
from specspan.ledger.ledger_entry import Place
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.stream_files import quarantined_names, segment_paths, stream_names

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="mapped files are stored into on Linux only")
PROGRAM = Path(__file__).resolve().parents[1] / "support" / "ledger_application.py"


@pytest.fixture(autouse=True)
def every_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stage whatever the file system of the tests is."""
    monkeypatch.setattr("specspan.ledger.staged_stream.can_stage", lambda _: True)


def open_staging(folder: Path, **settings: Any) -> DecisionLedger:
    """Return a ledger whose calls stage their records: the first one is written, and committed."""
    ledger = open_in(folder, **{"interval_s": 60.0, **settings})
    assert ledger.append(decision("first"), find_policy)
    assert ledger._writer.commit()
    assert ledger._writer._staging is not None
    return ledger


def marker_in(folder: Path) -> Path:
    """Return the file that marks the one open stream."""
    (marker,) = (folder / files.OPEN).iterdir()
    return marker


def leave(ledger: DecisionLedger) -> None:
    """Leave a ledger as a process does that is killed."""
    ledger._writer.after_fork()


def put(ledger: DecisionLedger, number: int | str) -> Place | None:
    """Append a decision as the recorder does; return its place."""
    data = b'{"id":"d-%b","time_unix_nano":"1","type":"decision"}' % str(number).encode()
    return ledger.append_encoded("decision", f"d-{number}", data, None, find_policy)


def test_a_staged_record_costs_no_write_and_is_chained_by_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call makes no system call to write; the next commit chains, signs and syncs what was staged, in its order."""
    ledger = open_staging(tmp_path)
    length = last_segment(tmp_path).stat().st_size
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda *_: pytest.fail("a call writes"))
        places = [put(ledger, number) for number in range(5)]
    assert last_segment(tmp_path).stat().st_size == length
    assert ledger.accounts() == {"attempted": 6, "recorded": 6, "dropped": {}}
    assert ledger.force_flush(10.0)
    state = states(tmp_path)[0]
    assert not state.chain.unsigned
    assert [(record.seq, record.body["id"]) for record in records(tmp_path)[3:]] == [
        (None if place is None else place.seq, f"d-{number}") for number, place in enumerate(places)
    ]


def test_what_a_killed_process_had_staged_is_chained_by_the_next_start(tmp_path: Path) -> None:
    """Records in the buffer are part of the chain after the next start, each once, and the recovery says how many."""
    ledger = open_staging(tmp_path)
    for number in range(3):
        put(ledger, number)
    ledger._writer.commit()
    for number in range(3, 7):
        put(ledger, number)
    leave(ledger)
    open_in(tmp_path).shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", *(f"d-{number}" for number in range(7))]
    assert records(tmp_path)[-1].body.items() >= {"staged": 4, "recorded": 8, "dropped_bytes": 0}.items()
    assert list((tmp_path / files.OPEN).iterdir()) == []


def test_a_record_that_was_copied_in_part_is_dropped(tmp_path: Path) -> None:
    """Whichever byte of the last record is not there: the records before it are recovered, and it is not."""
    ledger = open_staging(tmp_path)
    for number in range(3):
        put(ledger, number)
    staged = ledger._writer._staging
    assert staged is not None
    begin, end = (entry.end for entry in staged._buffer._half.staged[-2:])
    leave(ledger)
    data = bytearray(marker_in(tmp_path).read_bytes())
    for place in range(begin, end):
        torn = data.copy()
        torn[place] ^= 0x41
        path = tmp_path / "torn"
        path.write_bytes(torn)
        descriptor = os.open(path, os.O_RDONLY)
        found, _ = staging.read_staged(descriptor, 3)
        os.close(descriptor)
        assert [entry.body[:11] for entry in found] == [b'{"id":"d-0"', b'{"id":"d-1"']


def test_records_behind_a_gap_are_counted(tmp_path: Path) -> None:
    """Where a power cut took records of the chain that are in the buffer no more, those behind are dropped and said."""
    ledger = open_staging(tmp_path)
    for number in range(3):
        put(ledger, number)
    leave(ledger)
    path = last_segment(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))  # the first decision and its checkpoint
    open_in(tmp_path).shutdown(5.0)
    assert decision_ids(tmp_path) == []
    assert records(tmp_path)[-1].body["dropped_records"] == 3


@pytest.mark.parametrize("half_bytes", [2000, 20_000])
def test_halves_and_segments_take_turns_under_eight_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, half_bytes: int
) -> None:
    """Buffers that are full again and again, and new segments meanwhile: each record is once where its call says."""
    monkeypatch.setattr(staging, "HALF_BYTES", half_bytes)
    ledger = open_staging(tmp_path, interval_s=0.01, segment_bytes=20_000)
    places: dict[str, int] = {}

    def decide(thread: int) -> None:
        for number in range(200):
            place = put(ledger, f"{thread}-{number}")
            assert place is not None
            places[f"d-{thread}-{number}"] = place.seq

    threads = [threading.Thread(target=decide, args=(thread,)) for thread in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ledger.force_flush(30.0)
    assert ledger.accounts() == {"attempted": 1601, "recorded": 1601, "dropped": {}}
    ledger.shutdown(5.0)
    found = {record.body["id"]: record.seq for record in records(tmp_path) if record.type == "decision"}
    assert found.pop("d-first") == 2
    assert found == places
    (name,) = stream_names(tmp_path)
    assert len(segment_paths(tmp_path / files.STREAMS / name)) > 1


def test_a_segment_that_begins_keeps_the_numbers_of_what_is_staged(tmp_path: Path) -> None:
    """A segment's first record has a number before those that calls were given meanwhile; a crash changes nothing."""
    ledger = open_staging(tmp_path, segment_bytes=2000)
    for number in range(20):
        put(ledger, number)
    ledger._writer.commit()
    places = [put(ledger, number) for number in range(20, 25)]
    leave(ledger)
    open_in(tmp_path).shutdown(5.0)
    found = {record.body["id"]: record.seq for record in records(tmp_path) if record.type == "decision"}
    assert [found[f"d-{number}"] for number in range(20, 25)] == [place and place.seq for place in places]
    assert len(found) == 26


def test_policies_and_large_records_come_behind_what_is_staged(tmp_path: Path) -> None:
    """What does not go through the buffer stands behind what was staged before it, and numbers go on behind it."""
    ledger = open_staging(tmp_path)
    put(ledger, 0)
    ledger.append_policy({"v": 2, "type": "policy", "id": "sha256:other", "time_unix_nano": 1})
    put(ledger, 1)
    assert ledger.append(decision("large", text="x" * 2 * staging.HALF_BYTES), find_policy)
    place = put(ledger, 2)
    ledger.shutdown(5.0)
    kinds = [record.body.get("id") for record in records(tmp_path)[2:-1]]
    assert kinds == ["d-first", "d-0", "sha256:other", "d-1", "d-large", "d-2"]
    assert place is not None
    assert place.seq == 7


class Interruption(BaseException):
    """Raised by a signal's handler."""


@pytest.mark.parametrize("moment", ["crc32", "_pack"])
def test_an_interrupted_copy_is_neither_lost_nor_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Whoever is interrupted while a record is copied hands it over again: it is recorded once."""
    ledger = open_staging(tmp_path)

    def interrupt(*_: object) -> None:
        raise Interruption

    with monkeypatch.context() as patch:
        patch.setattr(staging, moment, interrupt)
        with pytest.raises(Interruption):
            put(ledger, 0)
    for number in (0, 0, 1):
        put(ledger, number)
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", "d-0", "d-1"]


def test_a_record_that_was_chained_when_its_call_was_interrupted_is_not_staged_again(tmp_path: Path) -> None:
    """Between the copy and the end of the call the record may be taken, or chained: handing it over again adds none."""
    ledger = open_staging(tmp_path)
    put(ledger, 0)
    buffer = ledger._writer._staging
    assert buffer is not None
    buffer._buffer.take()
    put(ledger, 0)
    ledger._writer.commit()
    put(ledger, 0)
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", "d-0"]


def test_a_record_inside_a_copy_is_taken_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finaliser that decides in the middle of a copy of the same thread neither waits nor breaks the chain."""
    ledger = open_staging(tmp_path)
    nested: list[bool] = []

    def decide(data: bytes, start: int) -> int:
        if not nested:
            nested.append(ledger.append(decision("nested"), find_policy))
        return zlib.crc32(data, start)

    monkeypatch.setattr(staging, "crc32", decide)
    assert put(ledger, 1) is not None
    assert nested == [True]
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", "d-1", "d-nested"]


def test_a_full_disk_loses_nothing_that_is_staged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: Callable[[], dict[tuple[str, str], int]]
) -> None:
    """While the disk takes nothing records wait; what finds the buffer full is lost, counted, and said in the chain."""
    monkeypatch.setattr(staging, "HALF_BYTES", 600)
    ledger = open_staging(tmp_path)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        kept = [number for number in range(30) if put(ledger, number) is not None]
        assert not ledger._writer.commit() or ledger.accounts()["recorded"] == 1 + len(kept)
    lost = 30 - len(kept)
    assert 0 < lost < 30
    assert losses() == {("ledger_decision", "disk_full"): lost}
    assert ledger.accounts() == {"attempted": 31, "recorded": 1 + len(kept), "dropped": {"disk_full": lost}}
    put(ledger, "after")
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", *(f"d-{number}" for number in kept), "d-after"]
    assert [record.body["lost"] for record in records(tmp_path) if record.type == "loss"] == [{"disk_full": lost}]


def test_a_disk_that_is_full_at_the_end_leaves_records_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shutdown that cannot write leaves the stream open, and what is staged to whoever starts next."""
    ledger = open_staging(tmp_path)
    put(ledger, 0)

    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", fail)
        ledger.shutdown(5.0)
    assert ledger.accounts() == {"attempted": 2, "recorded": 2, "dropped": {}}
    open_in(tmp_path).shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-first", "d-0"]


def test_a_failed_sync_moves_what_is_staged_to_the_next_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an fsync that failed a new stream begins: what was staged since is in it, and nowhere twice."""
    ledger = open_staging(tmp_path)
    put(ledger, 0)
    sync = os.fdatasync

    def stage_and_fail(_: int) -> None:
        put(ledger, 1)
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(os, "fdatasync", stage_and_fail)
    assert not ledger._writer.commit()
    monkeypatch.setattr(os, "fdatasync", sync)
    put(ledger, 2)
    ledger.shutdown(5.0)
    open_in(tmp_path).shutdown(5.0)
    assert sorted(decision_ids(tmp_path)) == ["d-0", "d-1", "d-2", "d-first"]


def test_a_forked_child_leaves_the_buffer_to_its_parent(tmp_path: Path) -> None:
    """Parent and child go on, each with a stream of its own; what was staged before the fork is recorded once."""
    ledger = open_staging(tmp_path)
    put(ledger, "before")
    child = os.fork()
    if not child:
        signal.alarm(20)
        put(ledger, "child")
        ledger.shutdown(5.0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    put(ledger, "after")
    ledger.shutdown(5.0)
    assert sorted(decision_ids(tmp_path)) == ["d-after", "d-before", "d-child", "d-first"]
    parents = [record.body["parent"] for record in records(tmp_path) if "parent" in record.body]
    assert [parent["size"] for parent in parents] == [4]


def test_what_a_damaged_stream_had_staged_is_set_aside_with_it(tmp_path: Path) -> None:
    """A stream that is damaged goes to quarantine with the records that waited for their place in it."""
    ledger = open_staging(tmp_path)
    put(ledger, 0)
    leave(ledger)
    path = last_segment(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'"verdict":"complied"', b'"verdict":"violated"', 1))
    open_in(tmp_path).shutdown(5.0)
    (name,) = quarantined_names(tmp_path)
    descriptor = os.open(tmp_path / files.QUARANTINE / name / "staged", os.O_RDONLY)
    found, _ = staging.read_staged(descriptor, 3)
    os.close(descriptor)
    assert [entry.body for entry in found] == [b'{"id":"d-0","time_unix_nano":"1","type":"decision"}']
    assert list((tmp_path / files.OPEN).iterdir()) == []


@pytest.mark.parametrize("trial", range(4))
def test_kill_9_of_a_process_that_stages_loses_nothing(tmp_path: Path, trial: int) -> None:
    """Killed while eight threads stage and the ledger's thread chains."""
    process = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(tmp_path), "async", "8"],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(), "INTERVAL_S": "0.02"},
    )
    assert process.stdout is not None
    returned = [process.stdout.readline().rstrip()]
    while marker_in(tmp_path).stat().st_size < 2 * staging.HALF_BYTES:
        returned.append(process.stdout.readline().rstrip())
    returned += [process.stdout.readline().rstrip() for _ in range(1 + 200 * trial)]
    process.kill()
    with process:
        returned += [line.rstrip() for line in process.stdout if line.endswith("\n")]
    open_in(tmp_path).shutdown(5.0)
    found = decision_ids(tmp_path)
    assert len(found) == len(set(found))
    assert set(returned) <= set(found)


def test_a_durable_ledger_stages_nothing(tmp_path: Path) -> None:
    """In the mode `durable` calls wait for the disk, and there is no buffer."""
    ledger = open_in(tmp_path, Durability.DURABLE)
    assert ledger.append(decision(0), find_policy)
    ledger._writer.commit()
    assert ledger._writer._staging is None
    ledger.shutdown(5.0)


def test_folders_on_unknown_file_systems_are_not_staged_in() -> None:
    """A file system that is none of a disk of this machine is refused, as a store into it may end the process."""
    assert not staging.can_stage(Path("/proc"))
