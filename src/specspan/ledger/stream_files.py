"""Streams of a ledger as they lie on the disk, read back and told apart: whole, torn at the end, or tampered with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from specspan.errors import StoreError
from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import (
    LAST_TYPES,
    Chain,
    ChainReader,
    Defective,
    Fault,
    Line,
    Problem,
    Record,
    parse_checkpoint,
    parse_record,
    split_lines,
)
from specspan.ledger.merkle import Frontier
from specspan.ledger.signed_note import Checkpoint, PublicKey

Visitor: TypeAlias = Callable[["Record | Checkpoint"], object]


@dataclass(frozen=True, slots=True)
class StreamState:
    """Stream after it was read to its end, or to the first line that is wrong."""

    name: str
    chain: Chain
    problem: Problem | None
    """None for a stream that is whole, or that a process writes to."""
    segment: int
    """Number of the last segment that was read."""
    good_bytes: int
    """Length of that segment up to the first line that is wrong."""
    all_bytes: int
    """Length of that segment."""
    is_open: bool = False
    """True where a process writes to it."""


def stream_names(folder: Path) -> list[str]:
    """Return the names of all streams, the oldest first.

    Raises:
        StoreError: the folder holds no ledger.
    """
    streams = folder / files.STREAMS
    if not streams.is_dir():
        raise StoreError(f"{folder}: this folder holds no ledger")
    return sorted(each.name for each in streams.iterdir() if each.is_dir())


def quarantined_names(folder: Path) -> list[str]:
    """Return the names of the streams that a start found damaged and set aside."""
    quarantine = folder / files.QUARANTINE
    return sorted(each.name for each in quarantine.iterdir()) if quarantine.is_dir() else []


def segment_paths(stream: Path) -> list[Path]:
    """Return the segments in the folder of a stream, in order."""
    return sorted(each for each in stream.iterdir() if each.suffix == ".jsonl" and each.stem.isdecimal())


def first_segment(folder: Path, name: str) -> int:
    """Return the number of the first segment of a stream that is there; 1 where there is none."""
    paths = segment_paths(folder / files.STREAMS / name)
    return int(paths[0].stem) if paths else 1


def read_stream(
    folder: Path,
    name: str,
    keys: Iterable[PublicKey],
    visit: Visitor = lambda _: None,
    *,
    first: int = 1,
    is_open: bool | None = None,
) -> StreamState:
    """Read a stream and check it; ``visit`` is called with each record and checkpoint that fits.

    Args:
        folder: the ledger.
        name: the stream.
        keys: those that may have signed.
        visit: called in order.
        first: number of the segment to begin with, whose own first record is believed.
        is_open: True where a process writes to the stream; by default its lock tells.

    Raises:
        OSError: a file cannot be read.
    """
    if is_open is None:
        is_open = files.is_written_to(folder, name)  # before the files are read: it may end meanwhile
    reader = ChainReader(name, keys)
    state = StreamState(name, reader.chain, None, first, 0, 0, is_open)
    expected = first
    for path in segment_paths(folder / files.STREAMS / name):
        number = int(path.stem)
        if number < first:
            continue
        if number != expected:
            return replace(state, problem=_missing(expected, reader.chain))
        data = files.read_file(path)
        state = _read_segment(reader, state, number, data, visit, is_first=number == first)
        if state.problem is not None:
            is_last = not path.with_name(f"{number + 1:06d}.jsonl").exists()
            return _judge(state, data, is_last=is_last)
        expected += 1
    return _judge_end(state)


def _read_segment(
    reader: ChainReader, state: StreamState, number: int, data: bytes, visit: Visitor, *, is_first: bool
) -> StreamState:
    lines = list(split_lines(number, data))
    good = 0
    problem = None
    if is_first and number > 1:
        _begin_at(reader.chain, lines)
    try:
        for line, item in zip(lines, reader.read(lines), strict=False):
            visit(item)
            good += len(line.data) + 1
    except Defective as error:
        problem = error.problem
    return replace(state, problem=problem, segment=number, good_bytes=good, all_bytes=len(data))


def _begin_at(chain: Chain, lines: Sequence[Line]) -> None:
    """Take the state of the chain from the first record of a segment."""
    record = parse_record(lines[0].data) if lines else None
    if record is None or record.type != "segment":
        return
    body = record.body
    hashes = tuple(bytes.fromhex(each) for each in body["tree"]["hashes"])
    chain.tree, chain.last = Frontier(int(body["tree"]["size"]), hashes), record.previous
    chain.checkpoints, chain.decisions = int(body["checkpoints"]), int(body["decisions"])


def _judge(state: StreamState, data: bytes, *, is_last: bool) -> StreamState:
    """Tell a torn end from other damage: behind a torn end nothing is whole."""
    problem = state.problem
    if problem is None or problem.line is None or problem.fault is not Fault.TAMPERED or not is_last:
        return state
    ended = state.chain.last_type in LAST_TYPES
    if _has_whole_line(split_lines(state.segment, data[state.good_bytes :])) or (ended and problem.line.is_complete):
        return state
    if state.is_open:
        return replace(state, problem=None)  # it is being written
    message = (
        f"the end is torn after record {state.chain.size - 1}: {state.all_bytes - state.good_bytes} bytes form no line"
    )
    return replace(state, problem=replace(problem, fault=Fault.TORN, message=message))


def _has_whole_line(lines: Iterator[Line]) -> bool:
    return any(
        line.is_complete and (parse_record(line.data) is not None or parse_checkpoint(line.data) is not None)
        for line in lines
    )


def _judge_end(state: StreamState) -> StreamState:
    chain = state.chain
    if state.is_open:
        return state
    if not chain.size:
        return replace(state, problem=Problem(Fault.TORN, "the stream has no record"))
    if chain.unsigned:
        last = chain.size - 1
        message = f"records {chain.tree.size} to {last} are under no checkpoint"
        return replace(state, problem=Problem(Fault.TORN, message, seq=chain.tree.size, last_seq=last))
    if chain.last_type not in LAST_TYPES:
        message = f"the stream was not ended after record {chain.size - 1}"
        return replace(state, problem=Problem(Fault.TORN, message, seq=chain.size))
    return state


def _missing(number: int, chain: Chain) -> Problem:
    return Problem(Fault.TAMPERED, f"segment {number} is missing, which began with record {chain.size}", seq=chain.size)
