"""Writing of the ledger: chain and checkpoints, threads, forks, rotation, and disks that fail."""

from __future__ import annotations

import errno
import json
import logging
import os
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import KEY, POLICY, decision, decision_ids, find_policy, last_segment, open_in, records, states, write

from specspan._support import drop_counts
from specspan.ledger import ledger_files as files
from specspan.ledger.decision_ledger import DecisionLedger
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.signed_note import parse_public_key
from specspan.ledger.stream import Stream
from specspan.ledger.stream_files import segment_paths, stream_names

BOTH = pytest.mark.parametrize("mode", [Durability.ASYNC, Durability.DURABLE])


@pytest.fixture
def losses() -> Callable[[], dict[tuple[str, str], int]]:
    """The losses of the ledger since the test began."""
    before = drop_counts.totals()

    def lost() -> dict[tuple[str, str], int]:
        counts = {key: count - before.get(key, 0) for key, count in drop_counts.totals().items()}
        return {key: count for key, count in counts.items() if count and key[0].startswith("ledger")}

    return lost


@BOTH
def test_each_decision_is_a_record_after_its_policy(tmp_path: Path, mode: Durability) -> None:
    """A stream begins with its start, has the policy once and every decision in order, and ends with its accounts."""
    write(tmp_path, range(3), mode=mode)
    found = records(tmp_path)
    assert [record.type for record in found] == ["start", "policy", *["decision"] * 3, "end"]
    assert decision_ids(tmp_path) == ["d-0", "d-1", "d-2"]
    assert found[1].body["id"] == POLICY["id"]
    assert found[-1].body.items() >= {"attempted": 3, "recorded": 3, "dropped": {}}.items()
    (state,) = states(tmp_path)
    assert state.problem is None
    assert state.chain.checkpoint is not None
    assert state.chain.checkpoint.size == len(found)


def test_times_are_strings_and_lines_are_canonical(tmp_path: Path) -> None:
    """A record is canonical JSON; its time, which not every reader of JSON holds exactly, is a string."""
    write(tmp_path, range(1))
    lines = last_segment(tmp_path).read_text().splitlines()
    for line in lines:
        assert json.dumps(json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False) == line
    assert json.loads(lines[3])["body"]["time_unix_nano"] == "1790000000000000001"


def test_files_are_private(tmp_path: Path) -> None:
    """Nobody but the user reads a file or enters a folder of the ledger."""
    folder = tmp_path / "ledger"
    write(folder, range(1))
    paths = [folder, *folder.rglob("*")]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir()}
    assert modes == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}


@BOTH
def test_threads_share_a_stream(tmp_path: Path, mode: Durability) -> None:
    """Every decision of eight threads is recorded once; the order of each thread is kept."""
    ledger = open_in(tmp_path, mode)

    def decide(thread: int) -> None:
        for number in range(40):
            assert ledger.append(decision(f"{thread}-{number}"), find_policy)

    threads = [threading.Thread(target=decide, args=(thread,)) for thread in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert ledger.accounts() == {"attempted": 320, "recorded": 320, "dropped": {}}
    ledger.shutdown(5.0)
    ids = decision_ids(tmp_path)
    for thread in range(8):
        assert [id_ for id_ in ids if id_.startswith(f"d-{thread}-")] == [f"d-{thread}-{n}" for n in range(40)]
    assert len(ids) == 320


def test_a_durable_record_is_signed_and_synced_when_its_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a call returns in the mode `durable`, a checkpoint covers its record, and fsync came after both."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    ledger = open_in(tmp_path, Durability.DURABLE)
    for number in range(3):
        ledger.append(decision(number), find_policy)
        assert synced[-1] == last_segment(tmp_path).stat().st_size
        assert not states(tmp_path)[0].chain.unsigned
    ledger.shutdown(5.0)


def test_async_records_are_signed_and_synced_soon(tmp_path: Path) -> None:
    """In the mode `async` the ledger's own thread signs and syncs what was written."""
    ledger = open_in(tmp_path, interval_s=0.01)
    ledger.append(decision(1), find_policy)
    ticker = threading.Event()
    while states(tmp_path)[0].chain.unsigned:
        ticker.wait(0.01)
    ledger.shutdown(5.0)


def test_a_segment_ends_by_size_and_the_chain_goes_on(tmp_path: Path) -> None:
    """Segments end where they are full; each begins with what is needed to check it alone."""
    write(tmp_path, range(60), segment_bytes=4000)
    (name,) = stream_names(tmp_path)
    paths = segment_paths(tmp_path / files.STREAMS / name)
    assert len(paths) > 3
    assert len(decision_ids(tmp_path)) == 60
    for path in paths[1:]:
        assert json.loads(path.read_text().splitlines()[0])["type"] == "segment"


def test_a_segment_ends_by_age(tmp_path: Path) -> None:
    """Segments end where they are old."""
    write(tmp_path, range(3), segment_s=0.0)
    assert len(decision_ids(tmp_path)) == 3
    (name,) = stream_names(tmp_path)
    assert len(segment_paths(tmp_path / files.STREAMS / name)) > 3


def test_an_idle_process_gives_signs_of_life(tmp_path: Path) -> None:
    """Heartbeats with the accounts are written where nothing else is: silence is evidence."""
    ledger = open_in(tmp_path, interval_s=0.01, heartbeat_s=0.01)
    ledger.append(decision(1), find_policy)
    ticker = threading.Event()
    while b'"type":"heartbeat"' not in last_segment(tmp_path).read_bytes():
        ticker.wait(0.01)
    ledger.shutdown(5.0)
    beats = [record.body for record in records(tmp_path) if record.type == "heartbeat"]
    assert beats[0].items() >= {"attempted": 1, "recorded": 1, "dropped": {}}.items()


def test_a_forked_child_begins_a_stream_that_names_its_parent(tmp_path: Path) -> None:
    """Parent and child write on, each its own stream; the child's start names the parent's."""
    ledger = open_in(tmp_path)
    ledger.append(decision("before"), find_policy)
    child = os.fork()
    if not child:
        ledger.append(decision("child"), find_policy)
        ledger.shutdown(5.0)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    ledger.append(decision("after"), find_policy)
    ledger.shutdown(5.0)
    first, second = [record for record in records(tmp_path) if record.type == "start"]
    parent, forked = (first, second) if "parent" in second.body else (second, first)
    assert forked.body["parent"] == {"stream": parent.body["stream"], "size": 3}
    assert sorted(decision_ids(tmp_path)) == ["d-after", "d-before", "d-child"]


def test_forks_under_threads_lose_nothing(tmp_path: Path) -> None:
    """While four threads decide, ten children are forked and decide, too: every decision is recorded once."""
    ledger = open_in(tmp_path)
    stop = threading.Event()
    counts = [0] * 4

    def decide(thread: int) -> None:
        while not stop.is_set():
            assert ledger.append(decision(f"{thread}-{counts[thread]}"), find_policy)
            counts[thread] += 1

    threads = [threading.Thread(target=decide, args=(thread,)) for thread in range(4)]
    for each in threads:
        each.start()
    for number in range(10):
        child = os.fork()
        if not child:
            signal.alarm(20)  # a lock that was inherited is a hang
            done = ledger.append(decision(f"child-{number}"), find_policy)
            ledger.shutdown(5.0)
            os._exit(0 if done else 1)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for each in threads:
        each.join()
    ledger.shutdown(5.0)
    expected = [f"d-{thread}-{number}" for thread in range(4) for number in range(counts[thread])]
    assert sorted(decision_ids(tmp_path)) == sorted([*expected, *(f"d-child-{number}" for number in range(10))])


def failing(function: Callable[..., Any], error: int, times: int) -> Callable[..., Any]:
    """Fail so many times with an error of the system, then do as the function does."""
    left = [times]

    def call(*args: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(error, os.strerror(error))
        return function(*args, **named)

    return call


@BOTH
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EDQUOT, "disk_full"),
        (errno.EIO, "io_error"),
        (errno.EROFS, "read_only"),
        (errno.EBADF, "os_error"),
    ],
)
def test_a_disk_that_fails_loses_records_and_says_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    losses: Callable[[], dict[tuple[str, str], int]],
    mode: Durability,
    error: int,
    reason: str,
) -> None:
    """Nothing is raised; what is lost is counted by reason, recorded when the disk is back, and the end is logged."""
    ledger = open_in(tmp_path, mode, interval_s=60.0)
    assert ledger.append(decision(0), find_policy)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING, "specspan"):
        patch.setattr(os, "write", failing(os.write, error, 2))
        assert [ledger.append(decision(number), find_policy) for number in range(1, 4)] == [False, False, True]
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "cannot be written" in caplog.text
    assert f"is written again; lost so far: {{'{reason}': 2}}" in caplog.text
    assert ledger.accounts() == {"attempted": 4, "recorded": 2, "dropped": {reason: 2}}
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-0", "d-3"]
    (loss,) = [record.body for record in records(tmp_path) if record.type == "loss"]
    assert loss["lost"] == {reason: 2}
    assert losses() == {("ledger_decision", reason): 2}


def test_a_write_that_stops_half_way_leaves_no_half_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full in the middle of a record has the file cut back to where it was."""
    ledger = open_in(tmp_path, interval_s=60.0)
    assert ledger.append(decision(0), find_policy)
    length = last_segment(tmp_path).stat().st_size
    write_all = os.write

    def write_half(descriptor: int, data: bytes) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, "full")
        return write_all(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", write_half)
    assert not ledger.append(decision(1), find_policy)
    monkeypatch.undo()
    assert last_segment(tmp_path).stat().st_size == length
    assert ledger.append(decision(2), find_policy)
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-0", "d-2"]


def test_a_stream_that_cannot_be_opened_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: Callable[[], dict[tuple[str, str], int]]
) -> None:
    """Without a file descriptor to be had, decisions are lost and counted, and a policy that is lost is no decision."""
    monkeypatch.setattr("specspan.ledger.writer._RETRY_S", 0.0)
    ledger = open_in(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(files, "create_file", failing(files.create_file, errno.EMFILE, 2))
        assert not ledger.append(decision(0), find_policy)
    assert ledger.append(decision(1), find_policy)
    ledger.shutdown(5.0)
    assert losses() == {("ledger_policy", "too_many_files"): 1, ("ledger_decision", "too_many_files"): 1}
    assert [record.type for record in records(tmp_path)] == ["start", "loss", "policy", "decision", "end"]


def test_a_failed_fsync_begins_a_new_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, losses: Callable[[], dict[tuple[str, str], int]]
) -> None:
    """After an fsync that failed nobody knows what the disk has: the next record begins a stream of its own."""
    ledger = open_in(tmp_path, Durability.DURABLE)
    ledger.append(decision(0), find_policy)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing(os.fdatasync, errno.EIO, 1))
        ledger.append(decision(1), find_policy)
    ledger.append(decision(2), find_policy)
    assert ledger.accounts() == {"attempted": 3, "recorded": 3, "dropped": {}}
    ledger.shutdown(5.0)
    assert losses() == {("ledger_sync", "io_error"): 1}
    assert len(stream_names(tmp_path)) == 2
    open_in(tmp_path).shutdown(5.0)
    assert sorted(decision_ids(tmp_path)) == ["d-0", "d-1", "d-2"]


def test_the_cap_is_kept(tmp_path: Path, losses: Callable[[], dict[tuple[str, str], int]]) -> None:
    """At its cap the ledger takes no more, counts what it did not take, and still signs and ends."""
    ledger = open_in(tmp_path, cap_bytes=4000)
    written = [ledger.append(decision(number), find_policy) for number in range(40)]
    lost = written.count(False)
    assert 0 < lost < 40
    assert ledger.accounts() == {"attempted": 40, "recorded": 40 - lost, "dropped": {"disk_cap": lost}}
    ledger.shutdown(5.0)
    assert losses() == {("ledger_decision", "disk_cap"): lost}
    assert len(decision_ids(tmp_path)) == 40 - lost
    assert records(tmp_path)[-1].body["dropped"] == {"disk_cap": lost}


def test_the_cap_is_kept_over_processes(tmp_path: Path) -> None:
    """What earlier processes and the parent wrote counts."""
    write(tmp_path, range(10))
    size = files.folder_size(tmp_path)
    ledger = open_in(tmp_path, cap_bytes=size + 1500)
    assert ledger.append(decision(11), find_policy)
    child = os.fork()
    if not child:
        written = [ledger.append(decision(f"child-{number}"), find_policy) for number in range(3)]
        os._exit(written.count(False))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    ledger.shutdown(5.0)
    late = open_in(tmp_path, cap_bytes=size)
    assert not late.append(decision(12), find_policy)
    late.shutdown(5.0)


def test_after_its_end_a_ledger_takes_nothing(tmp_path: Path, losses: Callable[[], dict[tuple[str, str], int]]) -> None:
    """What comes after the shutdown is dropped and counted, and no second stream begins."""
    ledger = open_in(tmp_path)
    ledger.append(decision(0), find_policy)
    ledger.shutdown(5.0)
    assert not ledger.append(decision(1), find_policy)
    assert losses() == {("ledger_decision", "shutdown"): 1}
    assert decision_ids(tmp_path) == ["d-0"]
    assert ledger.accounts() == {"attempted": 2, "recorded": 1, "dropped": {"shutdown": 1}}


class Interruption(BaseException):
    """Raised by a signal's handler."""


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupted_write_is_neither_lost_nor_doubled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    """Whoever is interrupted before or after the write hands the decision over again: it is recorded once."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(0), find_policy)
    write_all = os.write

    def interrupted(descriptor: int, data: bytes) -> int:
        if after:
            write_all(descriptor, data)
        raise Interruption

    record = decision(1)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(Interruption):
            ledger.append(record, find_policy)
    assert ledger.append(record, find_policy)
    assert ledger.append(decision(2), find_policy)
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-0", "d-1", "d-2"]


def test_an_interruption_while_a_write_is_noted_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted when the chain has a group and its records do not know it yet: each is recorded once all the same."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(0), find_policy)
    adopt = Stream._adopt

    def interrupted(stream: Stream, write: Any) -> None:
        adopt(stream, write._replace(entries=()))
        stream._begun = write
        raise Interruption

    record = decision(1)
    with monkeypatch.context() as patch:
        patch.setattr(Stream, "_adopt", interrupted)
        with pytest.raises(Interruption):
            ledger.append(record, find_policy)
    assert ledger.append(record, find_policy)
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-0", "d-1"]


def test_a_record_inside_a_write_is_taken_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finaliser that decides in the middle of a write of the same thread neither waits nor breaks the chain."""
    ledger = open_in(tmp_path, interval_s=60.0)
    ledger.append(decision(0), find_policy)
    write_all = os.write
    nested: list[bool] = []

    def write_and_decide(descriptor: int, data: bytes) -> int:
        if not nested:
            nested.append(ledger.append(decision("nested"), find_policy))
        return write_all(descriptor, data)

    monkeypatch.setattr(os, "write", write_and_decide)
    ledger.append(decision(1), find_policy)
    assert nested == [True]
    ledger.shutdown(5.0)
    assert decision_ids(tmp_path) == ["d-0", "d-1", "d-nested"]


def test_without_threads_every_record_is_synced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started, each call signs and syncs itself."""
    monkeypatch.setattr("specspan.ledger.writer.start_thread", lambda *_: False)
    ledger = open_in(tmp_path)
    ledger.append(decision(0), find_policy)
    assert not states(tmp_path)[0].chain.unsigned
    ledger.shutdown(5.0)


def test_a_flush_keeps_its_time_beside_a_disk_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush that the disk does not answer is not done when its time is over, and done when the disk answers."""
    go_on = threading.Event()
    sync = os.fdatasync

    def hang(descriptor: int) -> None:
        go_on.wait(60)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", hang)
    ledger = open_in(tmp_path)
    ledger.append(decision(0), find_policy)
    assert not ledger.force_flush(0.1)
    go_on.set()
    assert ledger.force_flush(10.0)
    ledger.shutdown(5.0)
    assert ledger.force_flush(10.0)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A link in the place of a file of the ledger is not written through."""
    target = tmp_path / "target"
    target.write_text("theirs")
    link = tmp_path / "000001.jsonl"
    link.symlink_to(target)
    with pytest.raises(OSError):
        files.create_file(link)
    with pytest.raises(OSError):
        files.open_file(link, os.O_WRONLY)
    assert target.read_text() == "theirs"


def test_the_public_key_is_listed_beside_the_ledger(tmp_path: Path) -> None:
    """The key that signs is listed once, and the start of each stream names it."""
    write(tmp_path, range(1))
    write(tmp_path, range(1, 2))
    assert (tmp_path / files.KEYS).read_text() == f"{KEY.public_key}\n"
    keys = {parse_public_key(record.body["key"]) for record in records(tmp_path) if record.type == "start"}
    assert keys == {KEY.public_key}


def test_two_ledgers_of_one_folder_write_apart(tmp_path: Path) -> None:
    """A second ledger leaves the stream of the first, which is open, alone."""
    first: DecisionLedger = open_in(tmp_path)
    first.append(decision(1), find_policy)
    second = open_in(tmp_path)
    second.append(decision(2), find_policy)
    first.append(decision(3), find_policy)
    assert all(state.is_open and state.problem is None for state in states(tmp_path))
    first.shutdown(5.0)
    second.shutdown(5.0)
    assert sorted(decision_ids(tmp_path)) == ["d-1", "d-2", "d-3"]
