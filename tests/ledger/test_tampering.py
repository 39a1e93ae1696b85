"""Tampering with a ledger: every kind is found, and the first wrong record named; whole ledgers are whole."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import pytest
from ledgers import KEY, decision, find_policy, last_segment, open_in, states, write

from specspan.ledger import ledger_files as files
from specspan.ledger.canonical_json import canonical_json
from specspan.ledger.chain_reader import Fault, Problem
from specspan.ledger.ledger_settings import Durability
from specspan.ledger.merkle import Frontier, leaf_hash
from specspan.ledger.signed_note import Checkpoint, Signer, open_checkpoint
from specspan.ledger.signing_keys import listed_keys
from specspan.ledger.stream_files import read_stream, segment_paths, stream_names

TRIALS = 40
Lines = list[bytes]


def is_record(line: bytes) -> bool:
    """Return whether a line is a record."""
    return line.startswith(b'{"body"')


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of one stream of many checkpoints and one segment."""
    folder = tmp_path_factory.mktemp("ledger")
    written = open_in(folder, interval_s=60.0)
    for number in range(40):
        written.append(decision(number, reason="r" * (number % 7)), find_policy)
        if number % 6 == 5:
            written.force_flush(10.0)
    written.shutdown(5.0)
    return folder


def found(ledger: Path, lines: Lines) -> Problem | None:
    """Return what is found wrong when the stream has these lines."""
    path = last_segment(ledger)
    before = path.read_bytes()
    try:
        path.write_bytes(b"".join(lines))
        return states(ledger)[0].problem
    finally:
        path.write_bytes(before)


def lines_of(ledger: Path) -> tuple[Lines, list[int]]:
    """Return the lines of the stream, and the places of records among them."""
    lines = last_segment(ledger).read_bytes().splitlines(keepends=True)
    return lines, [place for place, line in enumerate(lines) if is_record(line)]


def seq_of(line: bytes) -> int:
    """Return the sequence number that a record says."""
    return int(json.loads(line)["seq"])


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_changed_byte_is_found_where_it_is(ledger: Path, trial: int) -> None:
    """Any byte of any record, changed to any other: the record is named."""
    chance = random.Random(trial)
    lines, places = lines_of(ledger)
    place = chance.choice(places)
    line = bytearray(lines[place])
    at = chance.randrange(len(line) - 1)
    line[at] = chance.choice([byte for byte in range(1, 256) if byte not in (line[at], 10)])
    seq = seq_of(lines[place])
    lines[place] = bytes(line)
    problem = found(ledger, lines)
    assert problem is not None
    assert (problem.fault, problem.seq) == (Fault.TAMPERED, seq), problem


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_record_that_is_taken_out_is_found(ledger: Path, trial: int) -> None:
    """The record that is missing is named, the last before a checkpoint among them."""
    lines, places = lines_of(ledger)
    place = random.Random(trial).choice(places[:-1])
    seq = seq_of(lines.pop(place))
    problem = found(ledger, lines)
    assert problem is not None
    assert (problem.fault, problem.seq) == (Fault.TAMPERED, seq), problem


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_record_that_is_put_in_is_found(ledger: Path, trial: int) -> None:
    """A forged record with the right name of the one before and the right number: it is the one that is named."""
    lines, places = lines_of(ledger)
    chance = random.Random(trial)
    number = chance.randrange(1, len(places))
    before = lines[places[number] - 1] if is_record(lines[places[number] - 1]) else lines[places[number - 1]]
    previous = leaf_hash(before[:-1]).hex()
    forged = {"body": decision("forged"), "prev": previous, "seq": number, "type": "decision"}
    lines.insert(places[number], canonical_json(forged) + b"\n")
    problem = found(ledger, lines)
    assert problem is not None
    assert (problem.fault, problem.seq) == (Fault.TAMPERED, number), problem


@pytest.mark.parametrize("trial", range(TRIALS))
def test_a_record_that_stands_twice_is_found(ledger: Path, trial: int) -> None:
    """The place in which a record stands again is named."""
    lines, places = lines_of(ledger)
    place = random.Random(trial).choice(places[:-1])
    lines.insert(place + 1, lines[place])
    problem = found(ledger, lines)
    assert problem is not None
    assert (problem.fault, problem.seq) == (Fault.TAMPERED, seq_of(lines[place]) + 1), problem


@pytest.mark.parametrize("trial", range(TRIALS))
def test_records_that_change_places_are_found(ledger: Path, trial: int) -> None:
    """The first place with another record is named."""
    chance = random.Random(trial)
    lines, places = lines_of(ledger)
    one, other = sorted(chance.sample(places, 2))
    seq = seq_of(lines[one])
    lines[one], lines[other] = lines[other], lines[one]
    problem = found(ledger, lines)
    assert problem is not None
    assert (problem.fault, problem.seq) == (Fault.TAMPERED, seq), problem


@pytest.mark.parametrize("trial", range(TRIALS))
def test_an_end_that_is_cut_off_is_found(ledger: Path, trial: int) -> None:
    """A stream that was cut, at a line or inside one, is torn: after its end, or tampered with."""
    data = last_segment(ledger).read_bytes()
    length = random.Random(trial).randrange(len(data) - 1)
    problem = found(ledger, [data[:length]])
    assert problem is not None
    assert problem.fault is Fault.TORN
    whole = [line for line in data[:length].splitlines(keepends=True) if is_record(line) and line.endswith(b"\n")]
    assert problem.seq is None or problem.seq <= len(whole)


def test_every_checkpoint_that_is_taken_out_is_found(ledger: Path) -> None:
    """A stripped checkpoint is missed by the next one; the last one leaves records without."""
    lines, places = lines_of(ledger)
    checkpoints = [place for place in range(len(lines)) if place not in places]
    for place in checkpoints:
        problem = found(ledger, lines[:place] + lines[place + 1 :])
        assert problem is not None
        if place == checkpoints[-1]:
            assert problem.fault is Fault.TORN
            assert "no checkpoint" in problem.message
        else:
            assert problem.fault is Fault.TAMPERED
            assert "is missing" in problem.message


def test_every_changed_checkpoint_is_found(ledger: Path) -> None:
    """A byte of a checkpoint that is changed is found at that line."""
    lines, places = lines_of(ledger)
    chance = random.Random(1)
    for place in [place for place in range(len(lines)) if place not in places]:
        line = bytearray(lines[place])
        at = chance.randrange(20, len(line) - 4)
        line[at] = ord("A") if line[at] != ord("A") else ord("B")
        problem = found(ledger, [*lines[:place], bytes(line), *lines[place + 1 :]])
        assert problem is not None
        assert problem.fault in (Fault.TAMPERED, Fault.UNKNOWN_KEY)
        assert problem.line is not None
        assert problem.line.number == place + 1


def forge(lines: Lines, changed: int, signer: Signer | None) -> Lines:
    """Change a record, and everything after it to fit, as far as that can be done with a key."""
    previous, hashes, forged, frontier = bytes(32), [], [], Frontier()
    seq = 0
    for line in lines:
        if is_record(line):
            if seq == changed:
                line = line.replace(b'"body":{', b'"body":{"_":0,', 1)
            line = re.sub(rb'"prev":"[0-9a-f]{64}"', b'"prev":"%b"' % previous.hex().encode(), line)
            previous = leaf_hash(line[:-1])
            hashes.append(previous)
            seq += 1
        elif signer is not None:
            old = open_checkpoint(json.loads(line)["checkpoint"], [KEY.public_key])
            frontier = Frontier().add(hashes)
            new = Checkpoint(old.origin, old.size, frontier.root, old.number, old.time_unix_nano)
            line = canonical_json({"checkpoint": signer.sign(str(new))}) + b"\n"
        forged.append(line)
    return forged


@pytest.mark.parametrize("changed", range(1, 40, 5))
def test_a_chain_that_is_made_anew_is_found_by_its_checkpoint(ledger: Path, changed: int) -> None:
    """Without the key, all hashes can be made to fit but the signed root: the group is named."""
    lines, _ = lines_of(ledger)
    problem = found(ledger, forge(lines, changed, None))
    assert problem is not None
    assert problem.fault is Fault.TAMPERED
    assert problem.seq is not None
    assert problem.seq <= changed <= (problem.last_seq or problem.seq)


def test_a_ledger_that_is_signed_anew_is_of_an_unknown_key(ledger: Path) -> None:
    """With a key of the forger's own everything fits, and the key is not ours."""
    lines, _ = lines_of(ledger)
    problem = found(ledger, forge(lines, 3, Signer.generate("test-ledger")))
    assert problem is not None
    assert problem.fault is Fault.UNKNOWN_KEY


def test_checkpoints_of_another_stream_are_found(ledger: Path, tmp_path: Path) -> None:
    """A stream of the same key does not pass for another."""
    write(tmp_path, range(3))
    problem = found(ledger, [last_segment(tmp_path).read_bytes()])
    assert problem is not None
    assert problem.fault is Fault.TAMPERED
    assert "one of another stream" in problem.message


def test_a_segment_that_is_taken_out_is_found(tmp_path: Path) -> None:
    """The first, a middle and the last segment are missed."""
    write(tmp_path, range(60), mode=Durability.DURABLE, segment_bytes=4000)
    (name,) = stream_names(tmp_path)
    paths = segment_paths(tmp_path / files.STREAMS / name)
    for path in (paths[0], paths[1], paths[-1]):
        data = path.read_bytes()
        path.unlink()
        problem = read_stream(tmp_path, name, listed_keys(tmp_path)).problem
        assert problem is not None
        assert problem.fault is (Fault.TORN if path == paths[-1] else Fault.TAMPERED)
        path.write_bytes(data)
    assert read_stream(tmp_path, name, listed_keys(tmp_path)).problem is None


@pytest.mark.parametrize("trial", range(20))
def test_a_whole_ledger_raises_no_alarm(tmp_path: Path, trial: int) -> None:
    """Ledgers of any length, segment size and mode are whole."""
    chance = random.Random(trial)
    mode = chance.choice([Durability.ASYNC, Durability.DURABLE])
    write(tmp_path, range(chance.randint(0, 30)), mode=mode, segment_bytes=chance.randint(500, 20_000))
    assert all(state.problem is None for state in (states(tmp_path) if (tmp_path / files.STREAMS).is_dir() else []))
