"""Retention: what is old, or too much, is removed, and `verify` tells it from what somebody took away."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ledgers import KEY, decision, find_policy, open_in, write
from recording import MemoryExporter

from specspan.errors import ConfigurationError
from specspan.ledger import ledger_files as files
from specspan.ledger.audit import Audit, audit
from specspan.ledger.chain_reader import Fault
from specspan.ledger.delivery import Delivery
from specspan.ledger.ledger_settings import Durability, LedgerSettings, parse_age
from specspan.ledger.proofs import prove_inclusion
from specspan.ledger.retention import EXPIRY, backend_names, expire, read_expiries
from specspan.ledger.signed_note import Checkpoint, open_checkpoint
from specspan.ledger.stream_files import segment_paths, stream_names

KEYS = (KEY.public_key,)


def checked(folder: Path, *anchors: Checkpoint) -> Audit:
    """Return what a check finds."""
    return audit(folder, KEYS, anchors)


def expire_in(folder: Path, keep_s: float = 0.0, cap_bytes: int = 2**40) -> int:
    """Expire what can be, as a process does that writes a stream of its own."""
    ledger = open_in(folder)
    settings = LedgerSettings(folder, keep_s=keep_s, cap_bytes=cap_bytes)
    try:
        return expire(settings, KEYS, backend_names(folder), partial(ledger.append_control, EXPIRY))
    finally:
        ledger.shutdown(5.0)


def only_segment(folder: Path, number: int) -> Path:
    """Return a segment of the oldest stream."""
    return folder / files.STREAMS / stream_names(folder)[0] / f"{number:06d}.jsonl"


def test_a_whole_stream_expires_and_its_decisions_stay_in_the_accounts(tmp_path: Path) -> None:
    """Nothing of the stream is left, the ledger is intact, and what was attempted is what it was."""
    write(tmp_path, range(5))
    before = checked(tmp_path)
    assert expire_in(tmp_path) > 0
    found = checked(tmp_path)
    assert found.fault is None
    assert found.accounts == before.accounts
    assert [each.records for each in found.expired] == [before.streams[0].chain.size]
    assert before.streams[0].name not in [each.name for each in found.streams]


def test_what_expired_is_told_from_what_is_missing(tmp_path: Path) -> None:
    """A segment that was taken away without a word is missing; the ledger says so."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    only_segment(tmp_path, 1).unlink()
    found = checked(tmp_path)
    assert found.fault is Fault.TAMPERED
    assert "segment 1 is missing" in str(found.streams[0].problem)


def test_the_oldest_go_first_for_want_of_room_and_the_rest_is_checked(tmp_path: Path) -> None:
    """As much goes as there is no room for; what is left begins where the chain says that it does."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    size = files.folder_size(tmp_path)
    first_two = sum(only_segment(tmp_path, number).stat().st_size for number in (1, 2))
    assert expire_in(tmp_path, keep_s=1e9, cap_bytes=int((size - first_two + 100) / 0.9)) == first_two
    found = checked(tmp_path)
    assert found.fault is None
    assert found.accounts["recorded"] == 60
    assert found.streams[0].expired > 0
    only_segment(tmp_path, 3).unlink()  # that did not expire
    assert checked(tmp_path).fault is Fault.TAMPERED


def test_another_tree_than_what_expired_is_found(tmp_path: Path) -> None:
    """Where the statement about what expired is of another root, the stream is said to be tampered with."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    ledger = open_in(tmp_path)
    stream = stream_names(tmp_path)[0]
    body = {"stream": stream, "segment": 1, "records": 7, "root": "00" * 32, "whole": False}
    assert ledger.append_control(EXPIRY, {**body, "recorded": 7, "dropped": {}, "reason": "age"})
    ledger.shutdown(5.0)
    only_segment(tmp_path, 1).unlink()
    found = checked(tmp_path)
    assert found.fault is Fault.TAMPERED
    assert "is not what the ledger says expired" in str(found.streams[0].problem)


def test_anchors_of_what_expired(tmp_path: Path) -> None:
    """A checkpoint that others keep of an expired stream is no alarm, unless it has another root or more records."""
    write(tmp_path, range(5))
    found = checked(tmp_path).streams[0].chain.checkpoint
    assert found is not None
    expire_in(tmp_path)
    assert checked(tmp_path, open_checkpoint(found.note, KEYS)).fault is None
    assert checked(tmp_path, Checkpoint(found.origin, 2, bytes(32), 1, 1)).fault is None
    assert checked(tmp_path, Checkpoint(found.origin, found.size, bytes(32), 1, 1)).fault is Fault.TAMPERED
    assert checked(tmp_path, Checkpoint(found.origin, found.size + 1, found.root, 1, 1)).fault is Fault.TAMPERED


def test_what_a_backend_does_not_have_stays(tmp_path: Path) -> None:
    """A segment goes only after every backend acknowledged it; one that is written to never does."""
    write(tmp_path, range(5))
    (stream,) = stream_names(tmp_path)
    delivery = Delivery(tmp_path, "memory", MemoryExporter())
    (tmp_path / "cursors" / "memory").mkdir(parents=True)
    assert expire_in(tmp_path) == 0
    assert delivery.deliver(stream)
    assert expire_in(tmp_path) > 0
    assert stream not in stream_names(tmp_path)
    assert not list((tmp_path / "cursors" / "memory").glob(f"{stream}*"))


def test_what_is_damaged_stays(tmp_path: Path) -> None:
    """A segment whose end no key signed is evidence."""
    write(tmp_path, range(5))
    path = only_segment(tmp_path, 1)
    path.write_bytes(path.read_bytes()[:-20] + b"\n")
    assert expire_in(tmp_path) == 0


def test_a_statement_outlives_the_segment_that_it_is_in(tmp_path: Path) -> None:
    """When what says that a part of a stream expired expires itself, it is said again while the rest is there."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    stream = stream_names(tmp_path)[0]
    size = files.folder_size(tmp_path)
    expire_in(tmp_path, keep_s=1e9, cap_bytes=int((size - 100) / 0.9))
    statement = read_expiries(tmp_path)[stream]
    paths = segment_paths(tmp_path / files.STREAMS / stream)
    paths[0].write_bytes(paths[0].read_bytes()[:-20] + b"\n")  # so that only the stream of the statement can go
    damaged = paths[0].read_bytes()
    assert expire_in(tmp_path) > 0
    assert read_expiries(tmp_path)[stream] == statement
    assert paths[0].read_bytes() == damaged


def test_a_full_ledger_makes_room_of_itself(tmp_path: Path) -> None:
    """A process that comes near its cap removes what its backends have; nothing is lost, and nothing looks tampered."""
    ledger = open_in(tmp_path, cap_bytes=60_000, segment_bytes=5000, interval_s=0.01)
    ledger.ship_to("memory", MemoryExporter())
    number = 0
    while number < 3000 and not read_expiries(tmp_path):
        assert ledger.append(decision(number, reason="x" * 300), find_policy)
        number += 1
        if number % 10 == 0:
            assert ledger.force_flush(30.0)
            ledger._tidy()
    assert read_expiries(tmp_path)
    ledger.shutdown(30.0)
    found = checked(tmp_path)
    assert found.fault is None
    assert found.accounts == {"attempted": number, "recorded": number, "dropped": {}}


def test_one_at_a_time_expires(tmp_path: Path) -> None:
    """While one removes segments, another leaves it to that one."""
    write(tmp_path, range(5))
    files.append_file(tmp_path / "retention.lock", b"")
    lock = files.try_lock(tmp_path / "retention.lock")
    assert lock is not None
    assert expire_in(tmp_path) == 0
    os.close(lock)
    assert expire_in(tmp_path) > 0


def test_no_proof_of_what_expired(tmp_path: Path) -> None:
    """The hashes that a proof would need are gone, which is said."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    size = files.folder_size(tmp_path)
    expire_in(tmp_path, keep_s=1e9, cap_bytes=int((size - 100) / 0.9))
    with pytest.raises(ConfigurationError, match="expired"):
        prove_inclusion(tmp_path, stream_names(tmp_path)[0], 50, KEYS)


@pytest.mark.parametrize(("text", "seconds"), [("180d", 180 * 86400), ("36h", 36 * 3600), ("forever", float("inf"))])
def test_ages(text: str, seconds: float) -> None:
    """An age is written in days or hours."""
    assert parse_age(text, "keep") == seconds


@pytest.mark.parametrize("text", ["", "180", "0d", "six months"])
def test_other_ages_are_refused(text: str, losses: Callable[[], object]) -> None:
    """The message says how an age is written."""
    with pytest.raises(ConfigurationError, match="180d"):
        parse_age(text, "keep")
