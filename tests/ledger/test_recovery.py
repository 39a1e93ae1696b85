"""Recovery of streams that were left open: torn ends are dropped, other damage is set aside."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from ledgers import decision, decision_ids, find_policy, last_segment, open_in, records, states

from specspan._support import drop_counts
from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import Fault
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.stream_files import quarantined_names, segment_paths, stream_names


def crash(folder: Path, count: int, mode: Durability = Durability.ASYNC, **settings: float) -> None:
    """Leave a stream as a process that is killed does: its files as they are, and its lock gone."""
    ledger = open_in(folder, mode, interval_s=60.0, **settings)
    for number in range(count):
        assert ledger.append(decision(number), find_policy)
    ledger._writer.after_fork()  # a child, too, leaves everything as it is and unlocked


def recover(folder: Path) -> None:
    """Start and end a process that records nothing."""
    open_in(folder).shutdown(5.0)


@pytest.mark.parametrize("mode", [Durability.ASYNC, Durability.DURABLE])
def test_what_a_killed_process_left_is_ended(tmp_path: Path, mode: Durability) -> None:
    """The next start ends the stream: nothing is dropped, and what no checkpoint covered is said and signed."""
    crash(tmp_path, 3, mode)
    before = states(tmp_path)[0].problem
    assert before is not None
    assert before.fault is Fault.TORN
    recover(tmp_path)
    assert decision_ids(tmp_path) == ["d-0", "d-1", "d-2"]
    last = records(tmp_path)[-1]
    assert last.type == "recovery"
    unsigned = 4 if mode is Durability.ASYNC else 0
    assert last.body.items() >= {"dropped_bytes": 0, "unsigned": unsigned, "recorded": 3}.items()
    assert list((tmp_path / files.OPEN).iterdir()) == []


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are not synced: a test that recovers a thousand times is not about that."""
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.usefixtures("no_waiting")
@pytest.mark.parametrize("mode", [Durability.ASYNC, Durability.DURABLE])
def test_a_stream_that_is_cut_anywhere_in_its_last_records_is_recovered(tmp_path: Path, mode: Durability) -> None:
    """At every byte of the last three records: the whole records before the cut stay, and a record says what went."""
    crash(tmp_path, 4, mode)
    path, marker = last_segment(tmp_path), next((tmp_path / files.OPEN).iterdir())
    data = path.read_bytes()
    lines = data.splitlines(keepends=True)
    decisions = [place for place, line in enumerate(lines) if b'"type":"decision"' in line]
    for length in range(len(b"".join(lines[: decisions[-3]])), len(data) + 1):
        path.write_bytes(data[:length])
        marker.touch()
        recover(tmp_path)
        whole = data[:length].count(b'"type":"decision"}\n')
        found = records(tmp_path)
        assert [record.body["id"] for record in found if record.type == "decision"] == [f"d-{n}" for n in range(whole)]
        torn = length - (data[:length].rfind(b"\n") + 1)
        assert (found[-1].type, found[-1].body["dropped_bytes"]) == ("recovery", torn)


@pytest.mark.parametrize(
    "tail", [b"\0" * 5000, os.urandom(300).replace(b"\n", b""), b"\n\n\xff\n", b'{"body":{"a":1}}\n']
)
def test_what_a_power_cut_left_at_the_end_is_dropped(tmp_path: Path, tail: bytes) -> None:
    """Bytes behind the last whole line that are no line are a torn end."""
    crash(tmp_path, 2)
    with last_segment(tmp_path).open("ab") as file:
        file.write(tail)
    recover(tmp_path)
    assert decision_ids(tmp_path) == ["d-0", "d-1"]
    assert records(tmp_path)[-1].body["dropped_bytes"] == len(tail)


@pytest.mark.parametrize("count", range(4))
def test_a_crash_while_a_segment_begins_is_recovered(tmp_path: Path, count: int) -> None:
    """A new segment that is empty, or has but a part of its first record, is dropped or completed."""
    crash(tmp_path, 20, Durability.DURABLE, segment_bytes=3000)
    (name,) = stream_names(tmp_path)
    paths = segment_paths(tmp_path / files.STREAMS / name)
    assert len(paths) > 2
    os.truncate(paths[-1], (0, 1, 40, 300)[count])
    left = sum(path.read_bytes().count(b'"type":"decision"}\n') for path in paths)
    recover(tmp_path)
    assert decision_ids(tmp_path) == [f"d-{number}" for number in range(left)]


def edit(data: bytes) -> bytes:
    """Change a record in the middle."""
    return data.replace(b'"verdict":"complied"', b'"verdict":"violated"', 1)


def remove(data: bytes) -> bytes:
    """Take a record out of the middle."""
    lines = data.splitlines(keepends=True)
    return b"".join(line for line in lines if b'"d-1"' not in line)


@pytest.mark.parametrize("damage", [edit, remove])
def test_damage_that_no_crash_does_is_set_aside(
    tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """A stream with damage before its end is kept as it is, out of the way, counted and logged; the start goes on."""
    crash(tmp_path, 4)
    path = last_segment(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    (name,) = stream_names(tmp_path)
    before = drop_counts.totals().get(("ledger_stream", "quarantined"), 0)
    ledger = open_in(tmp_path)
    assert ledger.append(decision("new"), find_policy)
    ledger.shutdown(5.0)
    assert drop_counts.totals()["ledger_stream", "quarantined"] == before + 1
    assert "is damaged, and set aside: record" in caplog.text
    assert quarantined_names(tmp_path) == [name]
    assert decision_ids(tmp_path) == ["d-new"]


def test_a_recovery_that_crashed_is_done_again(tmp_path: Path) -> None:
    """A stream whose recovery was itself torn is recovered by the start after."""
    crash(tmp_path, 2)
    marker = next((tmp_path / files.OPEN).iterdir())
    recover(tmp_path)
    path = last_segment(tmp_path)
    for cut in (1, 100, 400, 600):
        os.truncate(path, path.stat().st_size - cut)
        marker.touch()
        recover(tmp_path)
        assert decision_ids(tmp_path) == ["d-0", "d-1"]
        assert records(tmp_path)[-1].type == "recovery"


def test_a_process_that_ended_before_its_first_record_leaves_nothing(tmp_path: Path) -> None:
    """The file of a stream that was never begun is removed."""
    recover(tmp_path)
    files.make_folder(tmp_path / files.OPEN)
    (tmp_path / files.OPEN / "20260101T000000Z-1-aa").touch()
    (tmp_path / files.OPEN / ".20260101T000000Z-1-bb").touch()
    recover(tmp_path)
    assert list((tmp_path / files.OPEN).iterdir()) == []


def test_a_disk_that_fails_leaves_the_recovery_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a stream cannot be recovered, the application starts all the same."""
    crash(tmp_path, 2)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> int:
            raise OSError(errno.EIO, "broken")

        patch.setattr(os, "write", fail)
        recover(tmp_path)
    assert states(tmp_path)[0].problem is not None
    recover(tmp_path)
    assert decision_ids(tmp_path) == ["d-0", "d-1"]


class Disk:
    """Disk that loses what was not synced: after a power cut a file has the synced bytes, and some of the others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, syncs: bool) -> None:
        self.synced: dict[int, int] = {}
        if syncs:
            monkeypatch.setattr(os, "fdatasync", self.sync)
        else:
            monkeypatch.setattr(os, "fdatasync", lambda _: None)

    def sync(self, descriptor: int) -> None:
        """Note how long the file is that is on the disk."""
        status = os.fstat(descriptor)
        self.synced[status.st_ino] = status.st_size

    def cut_power(self, folder: Path, chance: random.Random) -> None:
        """Leave of each segment the synced bytes, and a tail of any length, of which some bytes are wrong."""
        for path in (folder / files.STREAMS).rglob("*.jsonl"):
            status = path.stat()
            kept = self.synced.get(status.st_ino, 0)
            data = path.read_bytes()
            tail = bytearray(data[kept : kept + chance.randint(0, len(data) - kept)])
            if chance.random() < 0.5:
                tail[len(tail) // 2 :] = bytes(len(tail) - len(tail) // 2)
            path.write_bytes(data[:kept] + tail)


def whole_ids(folder: Path) -> list[str]:
    """Return the ids of decisions in whole lines, whatever else is wrong."""
    data = b"".join(path.read_bytes() for path in (folder / files.STREAMS).rglob("*.jsonl"))
    return [each.decode() for each in re.findall(rb'"id":"(d-[0-9]+)".*"type":"decision"\}\n', data)]


def lost_by_power_cuts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trials: int, *, syncs: bool) -> tuple[int, int]:
    """Return how many decisions whose calls had returned were lost, and how many streams were set aside."""
    lost, set_aside = 0, 0
    for trial in range(trials):
        chance = random.Random(trial)
        folder = tmp_path / str(trial)
        with monkeypatch.context() as patch:
            disk = Disk(patch, syncs=syncs)
            count = chance.randint(1, 12)
            crash(folder, count, Durability.DURABLE, segment_bytes=2500)
            disk.cut_power(folder, chance)
        recover(folder)
        set_aside += len(quarantined_names(folder))
        found = decision_ids(folder) if syncs else whole_ids(folder)
        lost += len({f"d-{number}" for number in range(count)} - set(found))
        assert len(found) == len(set(found))
    return lost, set_aside


@pytest.mark.usefixtures("no_waiting")
def test_a_power_cut_loses_no_durable_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the mode `durable`, what a call wrote before it returned is there after a power cut, 200 times of 200."""
    assert lost_by_power_cuts(tmp_path, monkeypatch, 200, syncs=True) == (0, 0)


@pytest.mark.usefixtures("no_waiting")
def test_without_fsync_a_power_cut_loses_decisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test before can fail: with fsync taken out, decisions are lost."""
    assert lost_by_power_cuts(tmp_path, monkeypatch, 20, syncs=False)[0] > 0


def test_a_recovery_record_names_what_it_dropped(tmp_path: Path) -> None:
    """The digest of the torn bytes is recorded, so that they can be told if they are found."""
    crash(tmp_path, 2)
    torn = b'{"body":{'
    with last_segment(tmp_path).open("ab") as file:
        file.write(torn)
    recover(tmp_path)
    body = json.loads(last_segment(tmp_path).read_text().splitlines()[-2])["body"]
    assert body["dropped_digest"] == f"sha256:{hashlib.sha256(torn).hexdigest()}"
    assert body["dropped_bytes"] == len(torn)
