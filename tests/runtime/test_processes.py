"""Recording goes on in the processes that `multiprocessing` starts: nothing lost, nothing twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from specspan.sqlite import Reader

PROGRAM = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor

import specspan


@specspan.observe(model="parrot", provider="local")
def ask(prompt):
    return prompt


def work(number):
    specspan.configure(db="found.db") if sys.argv[1] != "fork" else None
    if number == 1:
        ask("outside of any block of its own")
    with specspan.context(conversation=f"child {number}"):
        ask("in the child")


if __name__ == "__main__":
    specspan.configure(db="found.db")
    ways = multiprocessing.get_context(sys.argv[1])
    with specspan.context(conversation="parent"):
        ask("before")  # waits for its exporter while the child is started
        child = ways.Process(target=work, args=(1,))
        child.start()
        child.join()
        with ProcessPoolExecutor(1, mp_context=ways) as pool:
            pool.submit(work, 2).result()
        ask("after")
    sys.exit(child.exitcode)
"""


@pytest.mark.parametrize(
    "way", ["fork", *(pytest.param(way, marks=pytest.mark.thorough) for way in ("spawn", "forkserver"))]
)
def test_every_call_of_every_process_is_recorded_once(tmp_path: Path, way: str) -> None:
    """Children end without what `atexit` has, and hand over what they recorded all the same."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "program.py", way]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stderr) == (0, "")
    with Reader(tmp_path / "found.db") as reader:
        traces = reader.traces()
        spans = [span for trace in traces for span in reader.spans(trace.trace_id)]
        assert len({span.span_id for span in spans}) == len(spans)
        conversations = Counter(span.attributes.get("gen_ai.conversation.id") for span in spans)
    inherited = "parent" if way == "fork" else None  # what is said holds in a copy of the process alone
    assert conversations == Counter({"parent": 2, "child 1": 1, "child 2": 1}) + Counter([inherited])
