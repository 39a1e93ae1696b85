"""Ready-made checks, run on texts as the engine runs them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from policies import answered, bound, policy

from specspan.call import Message, ModelCall, Request, Text, ToolCall, ToolCallResponse
from specspan.checks.check import Check, as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Action, Finding
from specspan.engine.engine import Engine
from specspan.engine.rewriting import Cut
from specspan.engine.waiting import run_sync


def build(kind: str, configuration: Any = None) -> Check:
    """Build a check as a policy file would."""
    return kinds()[kind].build("clause", configuration)


def decide(check: Check, call: ModelCall) -> Finding:
    """Return what a check finds in a call."""
    read = [text for text in texts(call, check.traits.stage) if check.traits.reads(text.role)]
    return as_finding(check.decide(call, read))


def find(check: Check, text: str) -> list[str]:
    """Return what the evidence of a check quotes of an answer."""
    finding = decide(check, answered(text))
    return [text[each.start : each.end] for each in finding.evidence]


def reason_of(check: Check, text: str) -> str | None:
    """Return the reason of a violation in an answer; None if there is none."""
    finding = decide(check, answered(text))
    return finding.reason if finding.outcome == "violated" else None


def redact(check: Check, text: str) -> str:
    """Return an answer as a clause with the check hands it over that redacts."""
    evaluation = Engine(policy(bound("clause", check, action=Action.REDACT))).open()
    run_sync(evaluation.input(answered(text)))
    return run_sync(evaluation.output(answered(text))).edits.get("/output/0/parts/0", text)


def stream(check: Check, *chunks: str, action: Action = Action.BLOCK) -> tuple[str, Cut | None]:
    """Return what a clause with the check lets through of a streamed answer, and how it was cut."""
    watched = Engine(policy(bound("clause", check, action=action))).open().stream()
    assert watched is not None, "nothing of the check could cut a stream"
    released = ""
    for chunk in chunks:
        cut = watched.feed(0, chunk)
        if cut is not None:
            return released, cut
        released += chunk
    return released, None


def conversation(
    answer: str = "", *, system: str = "", user: str = "hello", results: Sequence[Any] = (), tool: str = "search"
) -> ModelCall:
    """Return a call with instructions, a question, results of a tool and an answer."""
    messages = [Message("system", (Text(system),))] if system else []
    messages.append(Message("user", (Text(user),)))
    for number, result in enumerate(results):
        messages.append(Message("assistant", (ToolCall(tool, {}, f"call_{number}"),)))
        messages.append(Message("tool", (ToolCallResponse(result, f"call_{number}"),)))
    return ModelCall(Request("test", input=tuple(messages)), answered(answer).response)
