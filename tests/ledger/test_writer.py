"""Writing of the ledger: chain and checkpoints, threads, forks, rotation and interruptions."""

from __future__ import annotations

import json
import os
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import KEY, POLICY, decision, decision_ids, find_policy, last_segment, open_in, records, states, write

from specspan.ledger import ledger_files as files
from specspan.ledger.decision_ledger import DecisionLedger
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.signed_note import parse_public_key
from specspan.ledger.stream import Stream
from specspan.ledger.stream_files import segment_paths, stream_names

BOTH = pytest.mark.parametrize("mode", [Durability.ASYNC, Durability.DURABLE])


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
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    (name,) = stream_names(tmp_path)
    paths = segment_paths(tmp_path / files.STREAMS / name)
    assert len(paths) > 3
    assert len(decision_ids(tmp_path)) == 60
    for path in paths[1:]:
        assert json.loads(path.read_text().splitlines()[0])["type"] == "segment"


def test_a_segment_ends_by_age(tmp_path: Path) -> None:
    """Segments end where they are old."""
    write(tmp_path, range(3), mode=Durability.DURABLE, segment_s=0.0)
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
    ledger = open_in(tmp_path, Durability.DURABLE, interval_s=60.0)
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
