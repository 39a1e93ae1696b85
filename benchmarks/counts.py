"""Instructions that specspan adds to five fixed pieces of work: a guard against regressions that is no clock.

``python -m benchmarks.counts`` counts the bytecode instructions that the caller's thread executes and the functions in
C that it calls, beside the same work without specspan, and compares them with ``benchmarks/counts.json``; it fails
where there are more by over 3 %. ``--write`` keeps the new figures. Counts depend on the versions of Python and of the
libraries in between: the file names those it was written with, and others are not compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import httpx2
import openai
from opentelemetry.sdk.trace import TracerProvider

import specspan
from benchmarks.cost.calls import PROMPT, make_call
from benchmarks.cost.policies import write_policy
from specspan.instrument.install import uninstrument

KEPT = Path(__file__).with_suffix(".json")
TOLERANCE = 0.03
_LIBRARIES = ("google-re2", "httpx2", "openai", "opentelemetry-api", "opentelemetry-sdk", "pydantic", "wrapt")
_WARM_UP, _REPEATS = 20, 4
_CHUNKS = 100

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Counts:
    """Executed instructions of Python's bytecode, and calls of functions in C."""

    instructions: int
    c_calls: int

    def minus(self, other: Counts) -> Counts:
        """Return what these are more than others."""
        return Counts(self.instructions - other.instructions, self.c_calls - other.c_calls)


def count(work: Work) -> Counts:
    """Return the least counts of a few runs on this thread: some runs do more, such as one that wakes a thread."""
    for _ in range(_WARM_UP):
        work()
    specspan.force_flush(10)
    return Counts(min(_instructions(work) for _ in range(_REPEATS)), min(_c_calls(work) for _ in range(_REPEATS)))


def _instructions(work: Work) -> int:
    executed = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal executed
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            executed += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return executed


def _c_calls(work: Work) -> int:
    calls = 0

    def profile(_: FrameType, event: str, __: object) -> None:
        nonlocal calls
        calls += event == "c_call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def scenarios() -> Iterator[tuple[str, Counts]]:
    """Yield what specspan adds to each piece of work, by name."""
    call, stream = make_call(), _make_stream()
    alone, alone_streamed, alone_function = count(call), count(stream), count(lambda: _answer(1))
    specspan.instrument("openai")
    try:
        with _configured(0):
            yield "call, no policy", count(call).minus(alone)
            yield "decorated function", count(lambda: _observed(1)).minus(alone_function)
        with _configured(100):
            yield "call, 100 clauses", count(call).minus(alone)
        with _configured(100, violated=1):
            yield "call, 100 clauses, one violated", count(call).minus(alone)
        with _configured(10, mode="enforce"):
            yield f"stream of {_CHUNKS} chunks, 10 patterns enforced", count(stream).minus(alone_streamed)
    finally:
        uninstrument()


@contextmanager
def _configured(clauses: int, violated: int = 0, mode: str = "observe") -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        policy = write_policy(Path(folder), clauses, violated) if clauses else None
        if policy is not None:
            policy.write_text(policy.read_text().replace("mode: observe", f"mode: {mode}"))
        provider = TracerProvider(shutdown_on_exit=False)
        specspan.configure(policy, tracer_provider=provider, decision_exporters=[_Nowhere()], ledger=False)
        try:
            yield
        finally:
            specspan.shutdown()


class _Nowhere:
    """Exporter that keeps nothing."""

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        return

    def shutdown(self) -> None:
        return


def _answer(number: int) -> int:
    return number


_observed = specspan.observe(_answer)


def _make_stream() -> Work:
    """Return a function that reads a streamed answer to its end."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5"}
    texts = [{"content": f"word {number} of many "} for number in range(_CHUNKS)]
    deltas: list[dict[str, Any]] = [
        *({"delta": text, "finish_reason": None} for text in texts),
        {"delta": {}, "finish_reason": "stop"},
    ]
    events = [json.dumps({**head, "choices": [{"index": 0, **delta}]}) for delta in deltas]
    body = "".join(f"data: {event}\n\n" for event in (*events, "[DONE]")).encode()
    headers = {"content-type": "text/event-stream"}
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, content=body, headers=headers))
    client = openai.OpenAI(api_key="key", http_client=httpx2.Client(transport=transport))
    messages: Any = [{"role": "user", "content": PROMPT}]
    return lambda: list(client.chat.completions.create(model="gpt-5", messages=messages, stream=True))


def _versions() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **{name: version(name) for name in _LIBRARIES}}


def compare(kept: Mapping[str, Any], found: Mapping[str, Counts]) -> list[str]:
    """Return a line for each count that grew by more than the tolerance, or that the file does not have."""
    problems = []
    for name, counts in found.items():
        before = kept.get(name)
        if before is None:
            problems.append(f"{name}: not in {KEPT.name}")
            continue
        for what, number in asdict(counts).items():
            if number > before[what] * (1 + TOLERANCE):
                problems.append(
                    f"{name}: {number:,} {what}, {number / before[what] - 1:.1%} more than {before[what]:,}"
                )
    return problems


def main_command(arguments: list[str]) -> int:
    """Count, print, and compare with the file, or write it; return 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="keep the counts in place of those of the file")
    options = parser.parse_args(arguments)
    if sys.flags.hash_randomization:  # the order of sets decides how often some of the functions in C are called
        command = [sys.executable, "-m", "benchmarks.counts", *arguments]
        return subprocess.run(command, env={**os.environ, "PYTHONHASHSEED": "0"}, check=False).returncode
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    versions = _versions()
    if not options.write and kept.get("versions") != versions:
        differing = [name for name in versions if kept.get("versions", {}).get(name) != versions[name]]
        print(f"counts are not compared: {KEPT.name} is of other versions of {', '.join(differing)}")
        return 0
    found = dict(scenarios())
    for name, counts in found.items():
        print(f"{name:50} {counts.instructions:8,} instructions {counts.c_calls:6,} calls into C")
    if options.write:
        written = {"versions": versions, "counts": {name: asdict(counts) for name, counts in found.items()}}
        KEPT.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
        return 0
    problems = compare(kept["counts"], found)
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print("Make it do less; where more is meant: python -m benchmarks.counts --write", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main_command(sys.argv[1:]))
