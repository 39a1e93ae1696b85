"""Trials of the ledger in numbers that a test suite has no time for: python tools/ledger_trials.py [TRIALS].

Each of ``kill -9`` at a random moment under eight threads, SIGTERM and ``os._exit``, in both modes; then each kind of
tampering, and whole ledgers. Prints one line for each kind; exit code 1 where a trial failed.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]

from ledgers import decision, decision_ids, environment, find_policy, last_segment, open_in, states  # noqa: E402

from specspan.ledger.chain_reader import Fault, parse_record  # noqa: E402

PROGRAM = ROOT / "tests" / "support" / "ledger_application.py"
THREADS = 8
LONGEST_S = 1.5
"""Time after the first decision: calls write themselves in the beginning, and stage their records later."""
Lines = list[bytes]


def end_process(folder: Path, mode: str, how: str, chance: random.Random) -> str | None:
    """Run one process to its end; return what is wrong after the next start."""
    calls = ["25"] if how == "os._exit" else []
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, str(PROGRAM), str(folder), mode, str(THREADS), *calls],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(), **({"END": how} if calls else {})},
    )
    with process:
        output = process.stdout or ()
        returned = [next(iter(output)).rstrip()]
        if not calls:
            time.sleep(chance.random() * LONGEST_S)
            process.send_signal(signal.Signals[how])
        returned += [line.rstrip() for line in output if line.endswith("\n")]
    open_in(folder).shutdown(5.0)
    found = decision_ids(folder)
    if len(found) != len(set(found)):
        return "a decision is recorded twice"
    lost = len(set(returned) - set(found))
    return f"{lost} of {len(returned)} decisions are lost" if lost else None


def damaged(lines: Lines, kind: str, chance: random.Random) -> tuple[Lines, int | None]:
    """Return the lines after one tampering, and the sequence number that must be named; None for any."""
    places = [place for place, line in enumerate(lines) if parse_record(line[:-1]) is not None]
    number = chance.randrange(1, len(places) - 1)
    place = places[number]
    if kind == "edit":
        line = bytearray(lines[place])
        at = chance.randrange(len(line) - 1)
        line[at] = chance.choice([byte for byte in range(32, 127) if byte != line[at]])
        return [*lines[:place], bytes(line), *lines[place + 1 :]], number
    if kind == "delete":
        return [*lines[:place], *lines[place + 1 :]], number
    if kind == "duplicate":
        return [*lines[: place + 1], *lines[place:]], number + 1
    if kind == "reorder":
        other = places[chance.randrange(number + 1, len(places))]
        swapped = list(lines)
        swapped[place], swapped[other] = lines[other], lines[place]
        return swapped, number
    if kind == "truncate":
        return lines[: chance.randrange(1, len(lines) - 1)], None
    checkpoints = [place for place in range(len(lines)) if place not in places]
    place = chance.choice(checkpoints)
    return [*lines[:place], *lines[place + 1 :]], None


def tamper(folder: Path, kind: str, chance: random.Random) -> str | None:
    """Write a ledger, and tamper with it; return what is wrong with what is found."""
    ledger = open_in(folder, interval_s=60.0)
    for number in range(chance.randint(5, 40)):
        ledger.append(decision(number), find_policy)
        if chance.random() < 0.2:
            ledger.force_flush(5.0)
    ledger.shutdown(5.0)
    if kind == "none":
        return None if states(folder)[0].problem is None else "a false alarm"
    path = last_segment(folder)
    lines, expected = damaged(path.read_bytes().splitlines(keepends=True), kind, chance)
    path.write_bytes(b"".join(lines))
    problem = states(folder)[0].problem
    if problem is None:
        return "not found"
    if expected is not None and (problem.fault, problem.seq) != (Fault.TAMPERED, expected):
        return f"record {expected} was to be named: {problem.message}"
    return None


def kinds() -> Iterator[tuple[str, Callable[[Path, random.Random], str | None]]]:
    """Yield each kind of trial with its function."""
    for how in ("SIGKILL", "SIGTERM", "os._exit"):
        for mode in ("async", "durable"):
            yield f"{how}, {mode}", lambda folder, chance, how=how, mode=mode: end_process(folder, mode, how, chance)  # type: ignore[misc]
    for kind in ("edit", "delete", "duplicate", "reorder", "truncate", "strip checkpoint", "none"):
        yield f"tampering: {kind}", lambda folder, chance, kind=kind: tamper(folder, kind, chance)  # type: ignore[misc]


def main() -> int:
    """Run the trials. Return the exit code."""
    parser = argparse.ArgumentParser(description="trials of the ledger")
    parser.add_argument("trials", nargs="?", type=int, default=200)
    parser.add_argument("--only", default="", help="kinds of trial that contain this text")
    options = parser.parse_args()
    logging.getLogger("specspan").setLevel(logging.ERROR)
    failed = False
    for name, run in kinds():
        if options.only not in name:
            continue
        wrong = []
        for trial in range(options.trials):
            with tempfile.TemporaryDirectory() as folder:
                result = run(Path(folder), random.Random(f"{name} {trial}"))  # noqa: S311 - trials are to be repeatable
            wrong += [] if result is None else [f"trial {trial}: {result}"]
        print(
            f"{name:28}{options.trials - len(wrong)} of {options.trials}",
            *wrong[:3],
            sep="\n  " if wrong else "",
            flush=True,
        )
        failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
