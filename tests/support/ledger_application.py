"""Program that decides in many threads until it is killed: ledger_application.py FOLDER MODE THREADS [CALLS].

Each line of standard output is the id of a decision whose call has returned.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from ledgers import decision, find_policy, open_in

from specspan.ledger.ledger_settings import Durability


def main(folder: str, mode: str, threads: str, calls: str = "1000000000") -> None:
    """Write decisions, and say which were written."""
    ledger = open_in(Path(folder), Durability(mode), interval_s=float(os.environ.get("INTERVAL_S", "0.5")))

    def decide(thread: int) -> None:
        for number in range(int(calls)):
            record = decision(f"{os.getpid()}-{thread}-{number}", reason="x" * 200)
            if ledger.append(record, find_policy):
                os.write(1, f"{record['id']}\n".encode())

    workers = [threading.Thread(target=decide, args=(thread,)) for thread in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if os.environ.get("END") == "os._exit":
        os._exit(0)
    ledger.shutdown(5.0)


main(*sys.argv[1:])
