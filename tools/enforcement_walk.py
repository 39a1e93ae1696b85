"""Walk over bodies in which something is wrong: python tools/enforcement_walk.py [--provider NAME] [--write].

Each value of each recorded body and of each event of a stream is replaced in turn; events are cut, lost, repeated and
swapped. Each mutant goes through the real client without specspan, observed, enforced with a word forbidden that is not
there, and enforced with one that is. The table says what the application saw and whether the record is true. Exit code
1: something was raised or changed, or a record is false.

What repeats is left out, and counted. Bodies of one shape are walked once (column ``alike``). Of the events of a stream
those of one shape are mutated once, and of more than three that follow one another three are sent. A value that took
the place of a field in an object of one shape is not put there again in another body (column ``skipped``); ``--all``
puts it there again.

A line says what came of each body. With ``--results FILE`` it is kept there, and a body that the file has is not walked
again: a walk that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "enforcement.md"
START, END = "<!-- walk -->", "<!-- end of walk -->"
RECORDINGS = ROOT.parent / "shared" / "recordings"


def main(arguments: list[str]) -> int:
    """Walk, print the table, and return the exit code."""
    given = _parser().parse_args(arguments)
    os.environ.pop("SPECSPAN_RAISE_INTERNAL_ERRORS", None)  # failures are contained, as in production
    logging.disable(logging.CRITICAL)
    gc.set_threshold(50_000)
    table, subjects = import_module("walk_table"), import_module("walk_subjects")
    walk = table.Walk()
    recorded = [found for _, found in subjects.recorded_subjects(given.recordings)]
    chosen = [
        each
        for each in (*subjects.own_subjects(), *recorded)
        if not isinstance(each, str)
        if given.name in each.name and (not given.provider or each.provider in given.provider)
    ]
    sizes = Counter(each.provider for each in chosen)
    chosen.sort(key=lambda each: (sizes[each.provider], each.provider))  # a provider with few bodies is soon done
    started_s = time.process_time()
    _walk(list(table.distinct(chosen, walk)), walk, given)
    print("\n".join((*table.describe(walk, given.problems), "", *walk.table(), "")))
    if given.write:
        _write(given.page, "\n".join(walk.table()), given)
    for (provider, place), count in walk.failures.most_common():
        print(f"specspan failed in {place} {count} times ({provider})")
    left_out = sorted(each for each in recorded if isinstance(each, str))
    for reason in dict.fromkeys(left_out):
        print(f"{left_out.count(reason)} exchanges left out: {reason}")
    values = sum(counts["values"] for counts in walk.counts.values())
    print(f"{values:,} replacements before bodies and events of one shape were left out")
    print(f"{time.process_time() - started_s:.0f} s of CPU")
    return 0 if walk.is_clean else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--provider", action="append", help="only this one; may be given several times")
    parser.add_argument("--sample", type=int, help="so many mutants of each body, in place of all")
    parser.add_argument("--all", action="store_true", help="also what was tried alike in a body before")
    parser.add_argument("--name", default="", help="only bodies whose name has this in it")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    parser.add_argument("--results", type=Path, help="keep what came of each body here, and go on from there")
    parser.add_argument("--problems", type=int, default=100, help="how many kinds of problems to print")
    parser.add_argument("--write", action="store_true", help="put the table into docs/enforcement.md")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table is put in place of that page")
    return parser


def _walk(subjects: list[Any], walk: Any, given: argparse.Namespace) -> None:
    """Walk over each body that the results do not have, and say what came of it."""
    table, bodies, results = import_module("walk_table"), import_module("walk_bodies"), import_module("walk_results")
    known = results.read_results(given.results) if given.results else {}
    tried = bodies.Tried()
    for number, subject in enumerate(subjects, 1):
        started_s = time.process_time()
        key = results.key_of(subject, given.sample, given.all)
        each = known.get(key)
        if each is None:
            each = table.Walk()
            table.take(subject, each, given.sample, None if given.all else tried)
            if given.results:
                results.append_result(given.results, key, each)
        else:
            tried.pass_over(bodies.shortened(subject.parts), subject.form)
        walk.add(each)
        counts = each.counts[subject.provider]
        print(
            f"{number}/{len(subjects)} {subject.provider} {subject.name}: {counts['mutations']} mutations, "
            f"{len(each.problems)} problems, {time.process_time() - started_s:.1f} s",
            flush=True,
        )


def _write(page: Path, table: str, given: argparse.Namespace) -> None:
    """Put the table between its marks in the page, and how many mutants of each body it is of."""
    mutants = "All mutants" if given.sample is None else f"{given.sample} mutants at most"
    table = f"{mutants} of each shape of body:\n\n{table}"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    page.write_text(f"{before}{START}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    sys.exit(main(sys.argv[1:]))
