"""Disks that fail or are full: nothing is raised, and each record that is lost is counted."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ledgers import decision, decision_ids, find_policy, last_segment, open_in, records, write

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.stream_files import stream_names

BOTH = pytest.mark.parametrize("mode", [Durability.ASYNC, Durability.DURABLE])


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
    monkeypatch.setattr("specspan.ledger.stream_opener._RETRY_S", 0.0)
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
