"""Counter of the files that work goes through: python tools/entered_files.py [--files].

Three pieces of work are measured: a plain call of the real OpenAI client over a transport that answers without a
network, a streamed one, and the loading of a policy file with one clause, one pattern and one Markdown spec. Only names
that an application may use stand here, so that modules can be renamed.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

_RUNS = 8
"""Times that work is done: the first run imports modules, and some do periodic work besides."""

_SPEC = """\
# House rules {#house_rules}

## Keep account numbers private {#keep_numbers_private authority=root}

Never write out an account number.
"""
_POLICY = r"""
spec: rules.md
mode: enforce
clauses:
  keep_numbers_private:
    action: redact
    checks:
      - pattern: {stage: output, any: ['\b\d{3}-\d{2}-\d{4}\b']}
"""


@dataclass(frozen=True, slots=True)
class Entries:
    """Functions that one thread entered, each by the file that it stands in."""

    files: tuple[str, ...]
    """File of each function, in the order of the calls; a generator that is resumed is entered again."""

    @property
    def switches(self) -> int:
        """Return how often the next function stands in another file."""
        return sum(before != after for before, after in pairwise(self.files))

    def without(self, other: Entries) -> Entries:
        """Return the entries into files that ``other`` did not enter."""
        theirs = set(other.files)
        return Entries(tuple(file for file in self.files if file not in theirs))

    def __str__(self) -> str:
        return f"{len(set(self.files))} files, {len(self.files)} calls, {self.switches} switches"


def record_entries(work: Callable[[], object], folder: Path) -> Entries:
    """Return the functions below a folder that ``work`` enters."""
    start = f"{folder}{os.sep}"
    files: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(start):
            files.append(frame.f_code.co_filename.removeprefix(start))

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return Entries(tuple(files))


def smallest_run(work: Callable[[], object], folder: Path) -> Entries:
    """Return the entries of the run of ``work`` that enters least, among several without garbage collection."""
    gc.disable()
    try:
        runs = [record_entries(work, folder) for _ in range(_RUNS)]
    finally:
        gc.enable()
    return min(runs, key=lambda run: (len(set(run.files)), len(run.files)))


def scenarios() -> Iterator[tuple[str, Entries]]:
    """Yield the name of each piece of work with its entries.

    Those of a policy file are into files that `specspan.configure` enters with a policy and not without one.
    """
    import specspan

    package = Path(specspan.__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        policy = _write_policy(Path(folder))
        bare = smallest_run(lambda: _configure(None), package)
        yield "policy file", smallest_run(lambda: _configure(policy), package).without(bare)
        _configure(policy)
        specspan.instrument("openai")
        with _client() as ask:
            yield "plain call", smallest_run(lambda: ask(stream=False), package)
            yield "streamed call", smallest_run(lambda: list(ask(stream=True)), package)
        specspan.shutdown()


def _write_policy(folder: Path) -> Path:
    """Return the policy's path, once the policy and its spec are written."""
    (folder / "rules.md").write_text(_SPEC, encoding="utf-8")
    policy = folder / "policy.yaml"
    policy.write_text(_POLICY, encoding="utf-8")
    return policy


def _configure(policy: Path | None) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    import specspan
    from specspan.testing import MemoryDecisions

    provider = TracerProvider(shutdown_on_exit=False)
    specspan.configure(policy, tracer_provider=provider, decision_exporters=[MemoryDecisions()])


@contextmanager
def _client() -> Iterator[Callable[..., Any]]:
    """Yield a function that asks a model through the real client."""
    import httpx2
    import openai

    def answer(request: httpx2.Request) -> httpx2.Response:
        if not json.loads(request.content).get("stream"):
            return httpx2.Response(200, json=_completion())
        return httpx2.Response(200, text=_events(), headers={"content-type": "text/event-stream"})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="key", http_client=http)
        messages = [{"role": "user", "content": "What is my account number?"}]
        yield partial(client.chat.completions.create, model="model", messages=messages)


def _completion(**changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "I cannot tell."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    whole = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "model",
        "choices": [choice],
        "usage": usage,
    }
    return whole | changes


def _events() -> str:
    """Return three chunks of text and an end, as the service streams them."""
    deltas = [
        ({"role": "assistant", "content": "I "}, None),
        ({"content": "cannot "}, None),
        ({"content": "tell."}, None),
    ]
    choices = [{"index": 0, "delta": delta, "finish_reason": end} for delta, end in (*deltas, ({}, "stop"))]
    chunks = [_completion(object="chat.completion.chunk", choices=[choice], usage=None) for choice in choices]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def main(arguments: Sequence[str]) -> None:
    """Print one line for each piece of work, and with ``--files`` each file with its calls."""
    for name, entries in scenarios():
        print(f"{f'entered by a {name}':32}{entries}")
        for file, calls in sorted(Counter(entries.files).items()) if "--files" in arguments else ():
            print(f"{'':32}{file} {calls}")


if __name__ == "__main__":
    main(sys.argv[1:])
