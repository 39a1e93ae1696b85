"""What watching adds to a chunk of a stream, in this tree and beside it in another one, such as a worktree of a commit.

``python -m benchmarks.stream_chunk [--against TREE] [--rounds N]``. The chunks are parsed before, so that the client's
own time is small. Processes of both trees take turns, and each works by turns as well: without specspan, without a
policy, and under one pattern. What is compared is the time of the process, by the median of the turns.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk
from opentelemetry.sdk.trace import TracerProvider

import specspan
from benchmarks.long_stream import write_policy

CHUNKS = 2_000
_TURNS = 15
_ASKED: dict[str, Any] = {"model": "gpt-5", "messages": [{"role": "user", "content": "hi"}], "stream": True}
_WAYS = ("alone", "no policy", "one pattern")


def main_command(arguments: list[str]) -> None:
    """Print what watching adds to a chunk, one column for each tree."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--against", type=Path, help="root of another tree")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.way:
        print(json.dumps(_measure(given.way)))
        return
    here = Path(__file__).parent.parent
    trees = [here] if given.against is None else [here, given.against.resolve()]
    times: dict[tuple[Path, str], list[float]] = {}
    for _ in range(given.rounds):
        for way in _WAYS:
            for tree in trees:
                times.setdefault((tree, way), []).extend(_measure_in(tree, way))
    print(
        f"{'':12}" + "".join(f"{tree.name:>16}" for tree in trees) + "   (µs of processor time that a chunk takes more)"
    )
    for way in _WAYS[1:]:
        added = [median(times[tree, way]) - median(times[tree, "alone"]) for tree in trees]
        print(f"{way:12}" + "".join(f"{each:16.2f}" for each in added))


def _measure_in(tree: Path, way: str) -> Sequence[float]:
    """Return the times of one process that runs this benchmark on the source of ``tree``."""
    sources = [tree / "src", *sorted(tree.glob("exporters/*/src")), Path(__file__).parent.parent]
    variables: Mapping[str, str] = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sources))}
    command = [sys.executable, __file__, "--way", way]
    result = subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True)
    times: list[float] = json.loads(result.stdout)
    return times


def _measure(way: str) -> list[float]:
    """Return the time of the process for a chunk in each turn, in µs."""
    if way != "alone":
        with tempfile.TemporaryDirectory() as folder:
            policy = write_policy(Path(folder)) if way == "one pattern" else None
            specspan.configure(policy, tracer_provider=TracerProvider(), decision_exporters=[])
        specspan.instrument("openai")
    client = _Client(api_key="none", http_client=httpx2.Client(transport=httpx2.MockTransport(_answer)))
    read = _reader(client)
    for _ in range(3):
        read()
    return [read() for _ in range(_TURNS)]


def _reader(client: openai.OpenAI) -> Callable[[], float]:
    def read() -> float:
        stream = client.chat.completions.create(**_ASKED)
        gc.collect()
        started_s = time.process_time()
        for _ in stream:
            pass
        return (time.process_time() - started_s) / CHUNKS * 1e6

    return read


class _Client(openai.OpenAI):
    """Client whose streams hold chunks that were parsed before."""

    def post(self, *args: Any, **kwargs: Any) -> Any:
        stream = super().post(*args, **kwargs)
        stream._iterator = _each(_PARSED)
        return stream


def _each(chunks: Sequence[Any]) -> Iterator[Any]:
    yield from chunks


def _chunk(text: str | None, finish: str | None = None) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "gpt-5-2026"}
    return ChatCompletionChunk.model_validate(head | {"choices": [choice], "usage": None})


_PARSED = [*(_chunk("word ") for _ in range(CHUNKS)), _chunk(None, "stop")]


def _answer(request: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=iter([b"data: [DONE]\n\n"]))


if __name__ == "__main__":
    main_command(sys.argv[1:])
