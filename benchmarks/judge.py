"""Judges in the background: what ten of them add to a call, beyond what enqueuing costs, and what a dead judge keeps.

The application asks a scripted model that takes 50 ms, as a fast one does, over real HTTP; the model and the judge are
processes of their own. Calls with judges and calls without take turns, so that both meet the same machine.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import openai

import specspan
from benchmarks.measure import Row
from specspan.sqlite import Filter, Reader
from specspan.testing import Reply, ScriptedJudge, ScriptedModel

JUDGES = 10
CALLS = 150
DEAD_CALLS = 10_000
MODEL_S = 0.05
PAUSE_S = 0.1
"""Time between calls: an application that asks ten times a second."""
LIMIT = 1.1
NONE, ONE_REQUEST, TEN_REQUESTS = "no judges", "one request", "ten requests"


def main() -> Iterator[Row]:
    """Yield the rows of the table."""
    os.environ.setdefault("OPENAI_API_KEY", "scripted")
    with _served("model") as model, _served("judge") as judge, tempfile.TemporaryDirectory() as folder:
        _write_spec(Path(folder))
        times = _take_turns(Path(folder), model, judge)
        for way in (ONE_REQUEST, TEN_REQUESTS):
            for share in (50, 99):
                name = f"a call with {JUDGES} judges in the background, {way}, p{share}"
                yield Row(name, _percentile(times[way], share) * 1e6, _percentile(times[NONE], share) * 1e6, LIMIT)
        yield _dead_judge(Path(folder), judge)


def _take_turns(folder: Path, model: str, judge: str) -> dict[str, list[float]]:
    """Return seconds of calls without judges, and with ten that ask in one request or in ten, in blocks of calls."""
    ways = (NONE, ONE_REQUEST, TEN_REQUESTS)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for block in range(3 * len(ways)):
        way = ways[block % len(ways)]
        with _configured(folder, way, judge), openai.OpenAI(base_url=model, api_key="x") as client:
            for number in range(CALLS // 3 + 5):
                started_s = time.perf_counter()
                _ask(client, f"question {block} {number}")
                if number >= 5:  # the first ones open connections
                    times[way].append(time.perf_counter() - started_s)
                time.sleep(PAUSE_S)
            specspan.force_flush(60)
    return times


def _dead_judge(folder: Path, judge: str) -> Row:
    """Return the memory after 10,000 calls with a dead judge against that after 1,000; every call has its reason."""
    from specspan.call import Message, ModelCall, Request, Response, Text
    from specspan.engine.waiting import run_sync
    from specspan.instrument.decided_span import DecidedSpan
    from specspan.instrument.gate import active
    from specspan.record.call_end import Ending, EndKind

    database = folder / "dead.db"
    sizes: list[int] = []
    with _configured(folder, TEN_REQUESTS, judge.replace("/v1", "/nowhere"), database):
        for number in range(DEAD_CALLS):
            pipeline = active()
            if pipeline is None:
                raise RuntimeError("nothing is configured")
            request = Request("openai", model="gpt-5", input=(Message("user", (Text(f"question {number}"),)),))
            span = DecidedSpan(pipeline, request)
            response = Response(output=(Message("assistant", (Text("An answer."),)),))
            span.call = ModelCall(request, response, span.call.context)
            if span.evaluation is not None:
                run_sync(span.evaluation.output(span.call))
            span.end(Ending(EndKind.COMPLETED))
            if number % 500 == 499:
                specspan.force_flush(60)
            if number in (DEAD_CALLS // 10 - 1, DEAD_CALLS - 1):
                sizes.append(_resident_bytes())
        specspan.force_flush(60)
    _print_accounts(database)
    return Row(
        f"memory after {DEAD_CALLS:,} calls with a dead judge (MB in place of µs)",
        sizes[1] / 1e6,
        sizes[0] / 1e6,
        LIMIT,
    )


def _print_accounts(database: Path) -> None:
    found: Counter[str] = Counter()
    with Reader(database) as reader:
        decisions = reader.decisions(Filter(limit=-1))
        for decision in decisions:
            for finding in decision["findings"]:
                found[f"{finding['outcome']}: {finding['reason']}"] += 1
    print(f"{len(decisions):,} decisions, {sum(found.values()):,} findings of judges: {dict(found)}")


@contextmanager
def _configured(folder: Path, way: str, judge: str, database: Path | None = None) -> Iterator[None]:
    policy = folder / "policy.yaml"
    lines = ["spec: spec.md", "clauses:"]
    for number in range(JUDGES):
        check = "pattern: 'never said'"
        if way != NONE:
            group = ", group: all" if way == ONE_REQUEST else ""
            check = f"judge: {{model: 'openai:gpt-5-mini', endpoint: '{judge}'{group}}}"
        lines += [f"  clause_{number}:", f"    checks: [{{{check}}}]"]
    policy.write_text("\n".join(lines), encoding="utf-8")
    specspan.configure(policy, db=database or folder / "specspan.db")
    specspan.instrument("openai")
    try:
        yield
    finally:
        specspan.uninstrument()
        specspan.shutdown()


def _write_spec(folder: Path) -> None:
    clauses = (f"## Clause {n} {{#clause_{n} authority=root}}\n\nBe kind, in way {n}.\n" for n in range(JUDGES))
    (folder / "spec.md").write_text("# Spec {#spec}\n\n" + "\n".join(clauses), encoding="utf-8")


def _ask(client: openai.OpenAI, question: str) -> None:
    client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])


def _percentile(values: list[float], share: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * share // 100)]


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _served(kind: str) -> Iterator[str]:
    """Serve a scripted model, or a judge, in a process of its own; yield its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(kind, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join(10)


def _serve(kind: str, pipe: Connection) -> None:
    if kind == "model":
        with ScriptedModel(lambda _: Reply("An answer.", delay_s=MODEL_S)) as model:
            pipe.send(model.base_url)
            pipe.recv()
    else:
        with ScriptedJudge({}) as judge:
            pipe.send(judge.base_url)
            pipe.recv()
