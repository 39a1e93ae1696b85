"""Datasets: recorded calls with the outcomes that are expected of them, each with where it came from.

A file has one JSON object a line: a head, and a case each. Its digest is that of the cases, in whatever order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specspan._support.files import read_text_file
from specspan.bridges.dialect import RecordedSpan
from specspan.decision import Outcome
from specspan.errors import ConfigurationError, Problem
from specspan.replay.carried_findings import Definitions
from specspan.replay.recorded_call import RecordedCall, read_recorded_call

Record = Mapping[str, Any]

VERSION = 1
SOURCES = ("decision", "review", "incident")
"""Kinds of what a case can come from."""
_MAX_BYTES = 256 << 20
_MAX_ID_CHARS = 200
_EXPECTED = frozenset(outcome.value for outcome in (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE))


@dataclass(frozen=True, slots=True)
class DatasetCase:
    """Recorded call, redacted, with the outcomes that are expected."""

    source: Record
    """Origin: ``kind``, one of `SOURCES`, ``id``, and what else is known, such as ``service``."""
    expected: Mapping[str, str]
    """Outcome by clause; other clauses may have any."""
    decision: Record
    """Decision record of the call, with every finding in full."""
    attributes: Record
    """Attributes of the call's span that a replay needs."""
    definitions: Definitions = field(default_factory=dict)
    """Definitions of the checks that decided it."""

    @property
    def id(self) -> str:
        """Return the digest of what the case says: ``sha256:`` and 64 hex digits."""
        return _digest(_canonical(self.to_json()))

    def to_json(self) -> dict[str, Any]:
        """Return the case as an object."""
        return {
            "v": VERSION,
            "type": "case",
            "source": dict(self.source),
            "expected": dict(self.expected),
            "decision": dict(self.decision),
            "attributes": dict(self.attributes),
            "definitions": [[*key, definition] for key, definition in sorted(self.definitions.items())],
        }

    def call(self) -> RecordedCall:
        """Return the call, to be decided again."""
        return read_recorded_call(self.decision, RecordedSpan(self.attributes), self.definitions)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases of one file."""

    source: str
    cases: Sequence[DatasetCase]

    @property
    def digest(self) -> str:
        """Return ``sha256:`` and the hex digest of the cases' digests, sorted: equal sets have equal digests."""
        return _digest("\n".join(sorted(case.id for case in self.cases)))

    def clauses(self) -> list[str]:
        """Return the clauses of which an outcome is expected, sorted."""
        return sorted({clause for case in self.cases for clause in case.expected})


def read_dataset(path: str | os.PathLike[str]) -> Dataset:
    """Read the file of a dataset.

    Raises:
        ConfigurationError: the file cannot be read, or a line of it is not a case of this version.
    """
    text = read_text_file(path, what="dataset", max_bytes=_MAX_BYTES, error=ConfigurationError)
    lines = [line for line in enumerate(text.text.split("\n"), 1) if line[1].strip()]
    if not lines:
        raise ConfigurationError(text.source, Problem("is empty", "`specspan dataset make FILE` makes one."))
    cases = {}
    for number, line in lines:
        case = _read_line(text.source, number, line)
        if case is not None:
            cases[case.id] = case
    return Dataset(text.source, tuple(cases.values()))


def write_dataset(path: Path, cases: Iterable[DatasetCase], name: str) -> Dataset:
    """Write a dataset, each case once, in the order of the calls' times. The file is replaced as a whole.

    Raises:
        OSError: the file cannot be written.
    """
    unique = {case.id: case for case in cases}
    ordered = sorted(unique.values(), key=lambda case: (int(case.decision["time_unix_nano"]), case.id))
    dataset = Dataset(str(path), tuple(ordered))
    head = {"v": VERSION, "type": "dataset", "name": name, "cases": len(ordered), "digest": dataset.digest}
    written = path.with_name(f"{path.name}.new")
    with written.open("w", encoding="utf-8", newline="\n") as file:
        for line in (head, *(case.to_json() for case in ordered)):
            file.write(f"{_canonical(line)}\n")
    written.replace(path)
    return dataset


def _read_line(source: str, number: int, line: str) -> DatasetCase | None:
    """Return the case on a line; None for the head."""
    remedy = "Make it anew with `specspan dataset make`, or take the line out."
    try:
        document = json.loads(line)
        if document["v"] != VERSION:
            problem = f"version {document['v']!r} is not one that this version of specspan knows"
            raise ConfigurationError(source, Problem(problem, "Upgrade specspan.", number))
        if document["type"] == "dataset":
            return None
        expected = {str(clause): str(outcome) for clause, outcome in document["expected"].items()}
        unknown = set(expected.values()) - _EXPECTED
        if document["type"] != "case" or unknown or document["source"]["kind"] not in SOURCES:
            raise ValueError(f"unknown {next(iter(unknown), 'kind of line or source')!r}")
        definitions = {(each[0], each[1], each[2], each[3], each[4]): each[5] for each in document["definitions"]}
        case = DatasetCase(document["source"], expected, document["decision"], document["attributes"], definitions)
        if len(str(case.decision["id"])) > _MAX_ID_CHARS or case.call().time_unix_nano < 0:
            raise ValueError("the decision has no valid id and time")
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        problem = f"no case can be read: {type(error).__name__}: {error}"
        raise ConfigurationError(source, Problem(problem, remedy, number)) from error
    return case


def iter_calls(datasets: Iterable[Dataset]) -> Iterator[tuple[DatasetCase, RecordedCall]]:
    """Yield each case with its call; one that several datasets have, or one twice, is yielded once."""
    seen = set[str]()
    for dataset in datasets:
        for case in dataset.cases:
            if case.id not in seen:
                seen.add(case.id)
                yield case, case.call()


def _canonical(document: Any) -> str:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
