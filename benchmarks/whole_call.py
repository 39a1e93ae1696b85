"""Cost of a whole call in an application: configured from files, 100 clauses, a prompt and an answer of 2 kB each.

60 clauses have two patterns, 30 a trivial function, 10 a limit on tools. Spans are batched, decision records made, and
both thrown away. What the caller waits for is measured with the background threads at rest, as between the calls of an
application; what those threads cost besides is in a row of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import openai

import specspan
from benchmarks.measure import HAND_WRITTEN, Row, added_us, cpu_us, hand_written_span, medians_us, provider_to_nowhere
from specspan.instrument.install import uninstrument

_PLAIN = ("The order left our warehouse on Monday and should be with you by the end of the week. " * 24)[:2000]
_DENSE = (" ".join(f"word{number}a key-{number}-12" for number in range(60)) * 4)[:2000]
_FOREIGN = ("Die Bestellung verließ unser Lager am Montag – sie müsste bald da sein, größtenteils. " * 24)[:2000]

_FIRST_LIMIT = 4.0
"""Limit of a whole call as a multiple of the hand-written span."""


def main() -> Iterator[Row]:
    """Return the rows. The time of the client's call by itself is measured in the same rounds, and subtracted."""
    with _prepare() as (works, base):
        medians = medians_us({HAND_WRITTEN: base, **works}, settle=specspan.force_flush)
        added = added_us(works["client"], works["bare client"], settle=specspan.force_flush)
        cpu_base_us = cpu_us(base, settle=specspan.force_flush)
        cpu_function_us = cpu_us(works["function"], settle=specspan.force_flush)
    base_us = medians[HAND_WRITTEN]
    yield Row("a function that is a model call, 100 clauses", medians["function"], base_us, _FIRST_LIMIT)
    yield Row("the same, full of near misses", medians["function, dense"], base_us)
    yield Row("the same, not ASCII", medians["function, foreign"], base_us)
    yield Row("the first again: CPU of the whole process, background threads included", cpu_function_us, cpu_base_us)
    yield Row("an OpenAI call, the client's own part", medians["bare client"], base_us)
    yield Row("an OpenAI call, added by 100 clauses", added, base_us, _FIRST_LIMIT)


def time_function_us(ledger: Path | None) -> float:
    """Return the median time of a function that is a model call, with a ledger in this folder or without one."""
    with _prepare(ledger) as (works, _):
        specspan.force_flush()
        return medians_us({"function": works["function"]}, settle=specspan.force_flush)["function"]


@contextmanager
def _prepare(ledger: Path | None = None) -> Iterator[tuple[dict[str, Callable[[], object]], Callable[[], object]]]:
    provider = provider_to_nowhere()
    base = hand_written_span(provider)  # before anything is instrumented
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        client = stack.enter_context(_client())
        alone = stack.enter_context(_client())
        vars(alone)["request"] = alone.request  # both bound before they are wrapped
        bare = alone.chat.completions.create
        specspan.configure(
            _write_policy(folder),
            tracer_provider=provider,
            decision_exporters=[_Nowhere()],
            ledger=False if ledger is None else ledger,
        )
        stack.callback(provider.shutdown)
        stack.callback(specspan.shutdown)
        specspan.instrument("openai")
        stack.callback(uninstrument)
        works = {
            "function": lambda: _answer(_PLAIN),
            "function, dense": lambda: _answer(_DENSE),
            "function, foreign": lambda: _answer(_FOREIGN),
            "bare client": _asking(bare),
            "client": _asking(client.chat.completions.create),
        }
        yield works, base


@specspan.observe(model="model")
def _answer(question: str) -> str:
    return question


def _asking(create: Callable[..., Any]) -> Callable[[], object]:
    return lambda: create(model="model", messages=[{"role": "user", "content": _PLAIN}])


def _client() -> openai.OpenAI:
    choice = {"index": 0, "message": {"role": "assistant", "content": _PLAIN}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 400, "completion_tokens": 400, "total_tokens": 800}
    body = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "model",
        "choices": [choice],
        "usage": usage,
    }
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=body))
    return openai.OpenAI(api_key="key", http_client=httpx2.Client(transport=transport))


class _Nowhere:
    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        return

    def shutdown(self) -> None:
        return


def _write_policy(folder: Path) -> Path:
    """Write the policy and its spec, and return the path of the policy."""
    clauses = [f"clause_{number}" for number in range(100)]
    sections = (f"## Clause {{#{clause} authority=user}}\n\nDo as it says.\n" for clause in clauses)
    (folder / "spec.md").write_text("# Spec {#spec}\n\n" + "\n".join(sections))
    bound = (f"  {clause}: {{checks: [{_check(number)}]}}" for number, clause in enumerate(clauses))
    policy = folder / "policy.yaml"
    policy.write_text("\n".join(("spec: spec.md", "mode: enforce", "clauses:", *bound)))
    return policy


def _check(number: int) -> str:
    if number < 60:
        return rf"pattern: {{stage: output, any: ['\bword{number}\b', '\bkey-{number}-\d{{4}}\b']}}"
    if number < 90:
        return f"code: trivial_{number}"
    return "tools: {allow: [search], limits: {search: {results: {max: 10}}}}"


def _trivial(call: specspan.ModelCall) -> bool:
    return len(call.output) < 100


for _number in range(60, 90):
    specspan.check(f"trivial_{_number}", timeout_s=None)(_trivial)
