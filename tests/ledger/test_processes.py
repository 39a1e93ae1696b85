"""Ends of real processes, by real signals: what a call wrote before it returned is there after the next start."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ledgers import decision_ids, environment, open_in, records, states

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "ledger_application.py"
BOTH = pytest.mark.parametrize("mode", ["async", "durable"])


def start(folder: Path, mode: str, threads: int, calls: int | None = None, **variables: str) -> subprocess.Popen[str]:
    """Start the program that decides."""
    arguments = [str(folder), mode, str(threads), *([] if calls is None else [str(calls)])]
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment(), **variables},
    )


def end_after(process: subprocess.Popen[str], decisions: int, number: int) -> list[str]:
    """Send a signal after so many decisions, and return the ids of all whose calls had returned."""
    assert process.stdout is not None
    returned = [process.stdout.readline().rstrip() for _ in range(decisions)]
    process.send_signal(number)
    with process:
        returned += [line.rstrip() for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -number
    return returned


def check_all_there(folder: Path, returned: list[str]) -> None:
    """Check that after the next start each decision is there once, in a ledger with which nothing is wrong."""
    open_in(folder).shutdown(5.0)
    found = decision_ids(folder)
    assert len(found) == len(set(found))
    assert set(returned) <= set(found)


@BOTH
@pytest.mark.parametrize("trial", range(10))
@pytest.mark.table(every=20)
def test_kill_9_under_eight_threads_loses_nothing(tmp_path: Path, mode: str, trial: int) -> None:
    """Killed at a random moment while eight threads decide, in both modes."""
    decisions = random.Random(trial).randint(1, 400 if mode == "async" else 60)
    returned = end_after(start(tmp_path, mode, 8), decisions, signal.SIGKILL)
    assert len(returned) >= decisions
    check_all_there(tmp_path, returned)


@BOTH
@pytest.mark.table(every=2)
def test_sigterm_by_default_loses_nothing(tmp_path: Path, mode: str) -> None:
    """A process without a handler, which no exit function of Python is called in."""
    check_all_there(tmp_path, end_after(start(tmp_path, mode, 4), 40, signal.SIGTERM))


@BOTH
@pytest.mark.table(every=2)
def test_os_exit_loses_nothing(tmp_path: Path, mode: str) -> None:
    """A process that ends by `os._exit`."""
    process = start(tmp_path, mode, 2, 20, END="os._exit")
    returned = process.communicate()[0].split()
    assert (len(returned), process.returncode) == (40, 0)
    check_all_there(tmp_path, returned)


def test_an_orderly_end_needs_no_recovery(tmp_path: Path) -> None:
    """A process that shuts down ends its stream itself."""
    process = start(tmp_path, "async", 2, 20)
    returned = process.communicate()[0].split()
    assert records(tmp_path)[-1].type == "end"
    check_all_there(tmp_path, returned)


def test_a_program_that_is_replaced_loses_nothing(tmp_path: Path) -> None:
    """`execv` closes the files of the ledger: the next program recovers the stream of the one before."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from ledgers import *\n"
        "ledger = open_in(Path(sys.argv[1]))\n"
        "assert ledger.append(decision(sys.argv[2]), find_policy)\n"
        "if sys.argv[2] == '2':\n"
        "    ledger.shutdown(5.0)\n"
        "else:\n"
        "    os.execv(sys.executable, [sys.executable, '-c', os.environ['PROGRAM'], sys.argv[1], '2'])\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path), "1"]
    subprocess.run(command, check=True, env={**environment(), "PROGRAM": program})
    assert decision_ids(tmp_path) == ["d-1", "d-2"]
    assert len(states(tmp_path)) == 2


def test_a_start_beside_a_living_writer_leaves_it_alone(tmp_path: Path) -> None:
    """Recovery touches no stream whose process runs."""
    process = start(tmp_path, "async", 1)
    assert process.stdout is not None
    returned = [process.stdout.readline().rstrip()]
    open_in(tmp_path).shutdown(5.0)
    returned += end_after(process, 20, signal.SIGKILL)
    check_all_there(tmp_path, returned)
    assert list((tmp_path / "open").iterdir()) == []
