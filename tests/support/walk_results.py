"""Results of a walk in a file, a line for each body, so that a walk that was stopped can go on."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from walk_judgement import Problem
from walk_subjects import Subject
from walk_table import Walk


def key_of(subject: Subject, sample: int | None, is_all: bool) -> str:
    """Return what names the walk over one body: its name, its bytes, and which of its mutants are chosen."""
    body = b"\0".join(part.wire for part in subject.parts)
    return f"{subject.name} {hashlib.sha256(body).hexdigest()[:16]} {sample} {is_all}"


def append_result(path: Path, key: str, walk: Walk) -> None:
    """Add what came of one body to a file."""
    line = {
        "key": key,
        "counts": walk.counts,
        "problems": [[name, str(mutant), each.kind, each.text] for name, mutant, each in walk.problems],
        "failures": [[*place, count] for place, count in walk.failures.items()],
    }
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_results(path: Path) -> dict[str, Walk]:
    """Return what came of each body that a file has; a last line that was cut short is left out."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            each = json.loads(line)
        except ValueError:
            continue
        walk = Walk()
        walk.counts.update({provider: Counter(counts) for provider, counts in each["counts"].items()})
        walk.problems += [(name, mutant, Problem(kind, text)) for name, mutant, kind, text in each["problems"]]
        walk.failures.update({(provider, place): count for provider, place, count in each["failures"]})
        found[each["key"]] = walk
    return found
