"""Walk over bodies in which something is wrong: python tools/enforcement_walk.py [--provider NAME] [--write].

Each value of each recorded body and of each event of a stream is replaced in turn; events are cut, lost, repeated and
swapped. Each mutant goes through the real client without specspan, observed, enforced with a word forbidden that is not
there, and enforced with one that is. The table says what the application saw and whether the record is true. Exit code
1: something was raised or changed, or a record is false.

Bodies of one shape are walked once (column ``alike``), and of the events of a stream those of one shape once.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "enforcement.md"
START, END = "<!-- walk -->", "<!-- end of walk -->"
RECORDINGS = ROOT.parent / "shared" / "recordings"


def main(arguments: list[str]) -> int:
    """Walk, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--provider", action="append", help="only this one; may be given several times")
    parser.add_argument("--sample", type=int, help="so many mutants of each body, in place of all")
    parser.add_argument("--name", default="", help="only bodies whose name has this in it")
    parser.add_argument("--recordings", type=Path, default=RECORDINGS)
    parser.add_argument("--problems", type=int, default=100, help="how many kinds of problems to print")
    parser.add_argument("--write", action="store_true", help="put the table into docs/enforcement.md")
    parser.add_argument("--page", type=Path, default=PAGE, help="where the table is put in place of that page")
    given = parser.parse_args(arguments)
    os.environ.pop("SPECSPAN_RAISE_INTERNAL_ERRORS", None)  # failures are contained, as in production
    logging.disable(logging.CRITICAL)
    table, subjects = import_module("walk_table"), import_module("walk_subjects")
    walk = table.Walk()
    recorded = [found for _, found in subjects.recorded_subjects(given.recordings)]
    chosen = [
        each
        for each in (*subjects.own_subjects(), *recorded)
        if not isinstance(each, str)
        if given.name in each.name and (not given.provider or each.provider in given.provider)
    ]
    started_s = time.process_time()
    for subject in table.distinct(chosen, walk):
        table.take(subject, walk, given.sample)
    print("\n".join((*table.describe(walk, given.problems), "", *walk.table(), "")))
    if given.write:
        _write(given.page, "\n".join(walk.table()), given.sample)
    for (provider, place), count in walk.failures.most_common():
        print(f"specspan failed in {place} {count} times ({provider})")
    left_out = sorted(each for each in recorded if isinstance(each, str))
    for reason in dict.fromkeys(left_out):
        print(f"{left_out.count(reason)} exchanges left out: {reason}")
    values = sum(counts["values"] for counts in walk.counts.values())
    print(f"{values:,} replacements before bodies and events of one shape were left out")
    print(f"{time.process_time() - started_s:.0f} s of CPU")
    return 0 if walk.is_clean else 1


def _write(page: Path, table: str, sample: int | None) -> None:
    """Put the table between its marks in the page, and how many mutants of each body it is of."""
    mutants = "All mutants" if sample is None else f"{sample} mutants at most"
    table = f"{mutants} of each shape of body:\n\n{table}"
    before, _, rest = page.read_text(encoding="utf-8").partition(START)
    page.write_text(f"{before}{START}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    sys.exit(main(sys.argv[1:]))
