"""Cost of the ledger: a record beside an item put into a queue, a call beside one without, groups beside fsync."""

from __future__ import annotations

import os
import queue
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.measure import Row, cpu_us, medians_us
from benchmarks.whole_call import time_function_us
from specspan.ledger.audit import audit
from specspan.ledger.canonical_json import canonical_json
from specspan.ledger.decision_ledger import open_ledger
from specspan.ledger.ledger_entry import DECISION, Entry
from specspan.ledger.ledger_settings import Durability, LedgerSettings
from specspan.ledger.signed_note import Signer
from specspan.ledger.signing_keys import listed_keys
from specspan.ledger.writer import LedgerWriter

_RECORD: dict[str, Any] = {
    "v": 2,
    "type": "decision",
    "time_unix_nano": 1790000060000000000,
    "trace_id": "0" * 32,
    "service": {"name": "support-desk"},
    "policy": {"digest": "sha256:" + "7a" * 32, "record": None},
    "call": {"provider": "openai", "operation": "chat", "model": "gpt-5", "input_digest": "hmac-sha256:" + "f" * 64},
    "mode": "observe",
    "verdict": "complied",
    "action": "allow",
    "outcomes": {"complied": "0-69", "not_applicable:other_context": "70-99"},
    "counts": {"considered": 100, "not_applicable": 30, "unassessed": 0},
}
_THREADS = 16
_GROUPS_S = 2.0
_VERIFIED = 30_000


def main() -> Iterator[Row]:
    """Return the rows of the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=".")))
        writer = LedgerWriter(LedgerSettings(folder / "append"), Signer.generate("bench"))
        stack.callback(writer.shutdown, 5.0)
        writer.append(Entry(DECISION, b"{}"))
        writer.commit()  # from now on calls stage their records, and the ledger's thread chains them
        body, items = canonical_json({**_RECORD, "time_unix_nano": "1"}), queue.Queue[bytes]()
        medians = medians_us(
            {
                "queue": lambda: items.put(body),
                "append": lambda: writer.append(Entry(DECISION, body)),
                "json": lambda: canonical_json({**_RECORD, "time_unix_nano": "1"}),
            },
            settle=writer.commit,
        )
        append_cpu_us = cpu_us(lambda: writer.append(Entry(DECISION, body)), settle=writer.commit)
        yield Row("append a record (async), beside queue.Queue.put", medians["append"], medians["queue"], 2.0)
        yield Row("the same with its canonical JSON", medians["append"] + medians["json"], medians["queue"])
        yield Row(
            "append a record: CPU of the whole process, its place in the chain included",
            append_cpu_us,
            medians["queue"],
        )
        with_ledger_us, without_us = time_function_us(folder / "call"), time_function_us(None)
        yield Row("a whole call with 100 clauses (async), beside one without", with_ledger_us, without_us, 1.1)
        yield _durable_row(folder)
        yield _verify_row(folder)


def _durable_row(folder: Path) -> Row:
    """Return the time of a durable record in 16 threads, beside groups of 16 that are appended and synced by hand."""
    ledger = open_ledger(LedgerSettings(folder / "durable", Durability.DURABLE), {})
    counts = [0] * _THREADS
    end_s = time.monotonic() + _GROUPS_S

    def decide(thread: int) -> None:
        while time.monotonic() < end_s:
            ledger.append({**_RECORD, "id": f"{thread}-{counts[thread]}"}, lambda _: None)
            counts[thread] += 1

    threads = [threading.Thread(target=decide, args=(thread,)) for thread in range(_THREADS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    ledger.shutdown(5.0)
    return Row(
        "record (durable), 16 threads, beside groups of 16 synced by hand",
        _GROUPS_S / sum(counts) * 1e6,
        _by_hand_s(folder / "by-hand", canonical_json(_RECORD)) * 1e6,
        2.0,
    )


def _by_hand_s(path: Path, body: bytes) -> float:
    """Return the seconds for each record of groups that are appended and synced as `fio` would."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    group, count = (body + b"\n") * _THREADS, 0
    end_s = time.monotonic() + _GROUPS_S
    while time.monotonic() < end_s:
        os.write(descriptor, group)
        os.fdatasync(descriptor)
        count += _THREADS
    os.close(descriptor)
    return _GROUPS_S / count


def _verify_row(folder: Path) -> Row:
    """Return the CPU time of the check of a record, beside the 10 µs of 100,000 a second."""
    ledger = open_ledger(LedgerSettings(folder / "verify"), {})
    for number in range(_VERIFIED):
        ledger.append({**_RECORD, "id": str(number)}, lambda _: None)
    ledger.shutdown(5.0)
    begin_s = time.process_time()
    found = audit(folder / "verify", listed_keys(folder / "verify"))
    spent_s = time.process_time() - begin_s
    if found.fault is not None or found.accounts["recorded"] != _VERIFIED:
        raise AssertionError(found.fault)
    return Row("verify a record, CPU, beside 10 µs", spent_s / _VERIFIED * 1e6, 10.0, 1.0)
