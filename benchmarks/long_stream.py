"""A stream of a million chunks under a policy that blocks by one pattern: what a chunk costs, and how memory grows.

``python -m benchmarks.long_stream [--chunks N] [--provider openai|anthropic] [--alone]``. Each row is a tenth of the
stream: time of the process for a chunk, and memory of the process at its end. ``--alone`` reads the stream without
specspan. It takes minutes, so ``make bench`` leaves it out.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import anthropic
import httpx2
import openai
from opentelemetry.sdk.trace import TracerProvider

import specspan

PIECE = "word "
_WINDOWS = 10
_EVENTS_A_PIECE = 50
_EVENTS = {"content-type": "text/event-stream"}
_ASKED: dict[str, Any] = {"model": "model", "messages": [{"role": "user", "content": "hi"}], "stream": True}


class Window(NamedTuple):
    """One tenth of a stream."""

    us_per_chunk: float
    """Time of the process for a chunk, the client's own part and the service's included."""
    memory_mb: float
    """Memory of the process at the end."""


def main_command(arguments: list[str]) -> None:
    """Read a stream of each provider, and print its rows."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--provider", choices=sorted(_STREAMS), action="append")
    parser.add_argument("--alone", action="store_true", help="without specspan")
    given = parser.parse_args(arguments)
    provider = TracerProvider()
    if not given.alone:
        with tempfile.TemporaryDirectory() as folder:
            specspan.configure(write_policy(Path(folder)), tracer_provider=provider, decision_exporters=[])
        specspan.instrument("openai", "anthropic")
    for name in given.provider or sorted(_STREAMS):
        print(f"{name}, {given.chunks:,} chunks{', alone' if given.alone else ''}")
        for window in measure(_STREAMS[name](given.chunks), given.chunks // _WINDOWS):
            print(f"  {window.us_per_chunk:6.1f} µs a chunk, {window.memory_mb:6.0f} MB", flush=True)
    specspan.shutdown()


def measure(stream: Iterator[Any], chunks: int) -> Iterator[Window]:
    """Read a stream to its end, and yield a window after each so many chunks."""
    started_s, count = time.process_time(), 0
    for _ in stream:
        count += 1
        if count == chunks:
            took_s, count = time.process_time() - started_s, 0
            gc.collect()
            yield Window(took_s / chunks * 1e6, _memory_mb())
            started_s = time.process_time()


def _memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def write_policy(folder: Path) -> Path:
    """Write a policy that blocks by one pattern, and return its path."""
    (folder / "rules.md").write_text("# Rules {#rules}\n\n## Quiet {#quiet authority=user}\n\nDo not say it.\n")
    check = {"pattern": {"stage": "output", "any": ["FORBIDDEN"]}}
    clause = {"action": "block", "on_error": "closed", "checks": [check]}
    path = folder / "policy.yaml"
    path.write_text(json.dumps({"spec": "rules.md", "mode": "enforce", "clauses": {"quiet": clause}}))
    return path


def _body(events: Iterator[Any], named: bool) -> Callable[[httpx2.Request], httpx2.Response]:
    def encoded() -> Iterator[bytes]:
        latest, written = None, b""
        for event in events:
            if event is not latest:  # a service's time is not of interest
                head = f"event: {event['type']}\n" if named else ""
                latest, written = event, f"{head}data: {json.dumps(event)}\n\n".encode()
            yield written
        if not named:
            yield b"data: [DONE]\n\n"

    pieces = encoded()
    body = iter(lambda: b"".join(islice(pieces, _EVENTS_A_PIECE)), b"")
    return lambda _: httpx2.Response(200, headers=_EVENTS, content=body)


def _client_over(answer: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.Client:
    return httpx2.Client(transport=httpx2.MockTransport(answer))


def _openai_stream(chunks: int) -> Iterator[Any]:
    def events() -> Iterator[Any]:
        frame = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "model"}
        yield from repeat(
            frame | {"choices": [{"index": 0, "delta": {"content": PIECE}, "finish_reason": None}]}, chunks
        )
        yield frame | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}

    client = openai.OpenAI(api_key="key", http_client=_client_over(_body(events(), named=False)))
    return iter(client.chat.completions.create(**_ASKED))


def _anthropic_stream(chunks: int) -> Iterator[Any]:
    def events() -> Iterator[Any]:
        usage = {"input_tokens": 1, "output_tokens": 1}
        message = {"id": "m", "type": "message", "role": "assistant", "model": "model", "content": [], "usage": usage}
        yield {"type": "message_start", "message": message | {"stop_reason": None, "stop_sequence": None}}
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": PIECE}}
        yield from repeat(piece, chunks)
        yield {"type": "content_block_stop", "index": 0}
        yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}
        yield {"type": "message_stop"}

    client = anthropic.Anthropic(api_key="key", http_client=_client_over(_body(events(), named=True)))
    return iter(client.messages.create(**_ASKED, max_tokens=9))


_STREAMS: dict[str, Callable[[int], Iterator[Any]]] = {"openai": _openai_stream, "anthropic": _anthropic_stream}


if __name__ == "__main__":
    main_command(sys.argv[1:])
