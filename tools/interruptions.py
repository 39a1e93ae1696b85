"""Interruptions of calls at random moments, without specspan and with it: python tools/interruptions.py [--times N].

A timer (`signal.setitimer`) has its handler raise in the midst of a call of the real OpenAI client over a transport in
memory. Of so many that were raised the table says in whose code, and how many did not arrive: clients swallow some of
those that are raised in their own code. Exit code 1: specspan swallowed one, or has the client swallow more of its own
than without (three standard deviations).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"


def main(arguments: list[str]) -> int:
    """Interrupt calls in a process without specspan and in one with it; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=2000, help="interruptions of each kind of call")
    parser.add_argument("--inside", choices=("without", "with"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.inside:
        print(json.dumps({kind: _interrupt(given, streamed=kind == "streamed") for kind in ("plain", "streamed")}))
        return 0
    found = {side: _run(side, given.times) for side in ("without", "with")}
    print("| call | specspan | raised | of these in the client | swallowed there | swallowed in specspan |")
    print("|---|---|---:|---:|---:|---:|")
    for kind in ("plain", "streamed"):
        for side, counts in found.items():
            print(f"| {kind} | {side} | {' | '.join(f'{count:,}' for count in counts[kind])} |")
    return int(any(_is_worse(found["without"][kind], found["with"][kind]) for kind in ("plain", "streamed")))


def _is_worse(without: list[int], with_specspan: list[int]) -> bool:
    """Return whether specspan swallowed any, or has the client swallow more of its own than chance has it."""
    (_, in_client_before, before, _), (_, in_client, after, ours) = without, with_specspan
    expected = in_client * before / in_client_before
    return ours > 0 or after > expected + 3 * math.sqrt(after + expected * in_client / in_client_before)


def _run(side: str, times: int) -> dict[str, list[int]]:
    environ = {name: value for name, value in os.environ.items() if name != "SPECSPAN_RAISE_INTERNAL_ERRORS"}
    command = (sys.executable, "-W", "ignore", __file__, "--times", str(times), "--inside", side)
    done = subprocess.run(command, check=True, env=environ, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    counts: dict[str, list[int]] = json.loads(done.stdout.splitlines()[-1])
    return counts


def _interrupt(given: Any, *, streamed: bool) -> list[int]:
    """Return how many interruptions were raised, in the client, swallowed there, and swallowed in specspan."""
    sys.path.insert(0, str(SUPPORT))
    interrupting, wire = import_module("interrupting"), import_module("openai_wire")
    if given.inside == "with":
        _instrument()
    collected: list[Any] = []
    sys.unraisablehook = collected.append  # what is raised in a finaliser arrives nowhere, whoever made it
    body = wire.sse(wire.chunks("a", "b")) if streamed else wire.completion()
    with wire.Wire(body).sync_client() as client:

        def call() -> None:
            asked = [{"role": "user", "content": "hi"}]
            answer = client.chat.completions.create(model="m", messages=asked, stream=streamed)
            if streamed:
                list(answer)

        call()
        duration_s = interrupting.fastest(call)
        timer, moments = interrupting.Timer(), random.Random(7)  # noqa: S311 - the moments of a test
        in_client, swallowed = 0, list[str]()
        while timer.raised < given.times:
            raised, before = timer.raised, len(collected)
            is_swallowed = timer.interrupt(call, moments.uniform(1e-6, 1.2 * duration_s))
            in_client += timer.raised > raised and any(part in timer.hit for part in interrupting.CLIENTS)
            if is_swallowed and len(collected) == before:
                swallowed.append(timer.hit)
    in_specspan = sum(any(part in name for part in interrupting.OURS) for name in swallowed)
    return [timer.raised, in_client, len(swallowed) - in_specspan, in_specspan]


def _instrument() -> None:
    specspan, policies = import_module("specspan"), import_module("policies")
    decision, trace = import_module("specspan.decision"), import_module("opentelemetry.sdk.trace")
    check, bound = policies.Code, policies.bound
    rules = policies.policy(
        bound("secrets", policies.pattern("FORBIDDEN"), action=decision.Action.BLOCK),
        bound("inline", check(lambda call, texts: True, decision.Stage.INPUT), action=decision.Action.BLOCK),
        bound("timed", check(lambda call, texts: True, decision.Stage.OUTPUT, 60.0), action=decision.Action.BLOCK),
        mode=decision.Mode.ENFORCE,
    )
    specspan.configure(rules, tracer_provider=trace.TracerProvider(shutdown_on_exit=False), decision_exporters=[])
    specspan.instrument("openai")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
