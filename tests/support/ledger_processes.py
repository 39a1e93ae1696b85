"""Program that makes model calls under a policy and a ledger: ledger_processes.py FOLDER WAY [CALLS].

Prints a line after each call that returned. Ways: ``threads``, until it is killed; ``fork``, ``forkserver`` and
``spawn``, a pool of processes of which each makes one call and ends; ``exit``, forked children that end by `os._exit`.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from pathlib import Path

import specspan

FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(os.environ["LEDGER_FOLDER"])


@specspan.observe(model="model")
def answer(question: str) -> str:
    """Answer as a model would."""
    return question


def configure() -> None:
    """Put specspan to work, with no backend but the ledger's own."""
    specspan.configure(FOLDER / "policy.yaml", ledger=FOLDER / "ledger", decision_exporters=[])


def call(number: int) -> int:
    """Make one call, in a process that may have been started anew."""
    if multiprocessing.get_start_method() != "fork":
        configure()
    answer(f"question {number}")
    os.write(1, b"done\n")
    return number


def call_for_ever() -> None:
    """Make calls until the process ends."""
    while True:
        answer("question")
        os.write(1, b"done\n")


def main(way: str, calls: int) -> None:
    """Make calls in one of the ways."""
    configure()
    if way == "threads":
        for _ in range(8):
            threading.Thread(target=call_for_ever).start()
    elif way == "exit":
        for number in range(calls):
            if not os.fork():
                answer(f"question {number}")
                os.write(1, b"done\n")
                os._exit(0)
        for _ in range(calls):
            os.wait()
    else:
        os.environ["LEDGER_FOLDER"] = str(FOLDER)
        multiprocessing.set_start_method(way)
        with multiprocessing.Pool(2, maxtasksperchild=1) as pool:
            pool.map(call, range(calls), chunksize=1)
            pool.close()
            pool.join()


if __name__ == "__main__":
    main(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 0)
