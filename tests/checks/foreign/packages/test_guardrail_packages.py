"""Guardrails of other people, by their packages: each lets a text pass, objects to one, and fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Asked, serving
from pydantic import BaseModel

import specspan
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Finding, Outcome
from specspan.instrument.gate import active
from specspan.testing import recorded

pytest.importorskip("nemoguardrails", reason="is in an environment of its own: tools/environments.py guardrails")

SPEC = "# Shop {#shop}\n\n## Name no competitor {#no_competitor authority=user}\n\nName none.\n"
RAILS = {
    "config.yml": "models: []\nrails:\n  input: {flows: [check words]}\n  output: {flows: [mask answer]}\n",
    "rails.co": """
define bot refuse to respond
  "I cannot help with that."

define subflow check words
  $is_fine = execute check_words(text=$user_message)
  if not $is_fine
    bot refuse to respond
    stop

define subflow mask answer
  $bot_message = execute mask_words(text=$bot_message)
""",
    "actions.py": """
from nemoguardrails.actions import action


def fail_at(text):
    if "explode" in text:
        raise RuntimeError("no model")


@action()
async def check_words(text: str):
    fail_at(text)
    return "acme" not in text.lower()


@action()
async def mask_words(text: str):
    fail_at(text)
    return text.replace("Acme", "<NAME>")
""",
}


def decided(kind: str, configuration: dict[str, Any], text: str) -> Finding:
    said = Message("assistant", (Text(text),))
    call = ModelCall(Request("openai", input=(Message("user", (Text(text),)),)), Response(output=(said,)))
    check = kinds()[kind].build("no_competitor", configuration)
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def seen(finding: Finding) -> tuple[Outcome, str | None, list[tuple[int, int]]]:
    return finding.outcome, finding.reason, [(each.start, each.end) for each in finding.evidence]


PASSED: tuple[Outcome, str | None, list[Any]] = (Outcome.COMPLIED, None, [])
FAILED: tuple[Outcome, str | None, list[Any]] = (Outcome.ERROR, "guardrail_failed", [])


@pytest.fixture
def rails(tmp_path: Path) -> Path:
    for name, text in RAILS.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def keyless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_openai_guardrails(keyless: None) -> None:
    """A word that it names is the place; one that asks a model without a key fails; a wrong config is refused."""
    words = {"guardrail": "Keyword Filter", "config": {"keywords": ["acme"]}}
    assert seen(decided("openai_guardrails", words, "Buy ours.")) == PASSED
    assert seen(decided("openai_guardrails", words, "Buy Acme.")) == (Outcome.VIOLATED, "keyword_filter", [(4, 8)])
    assert seen(decided("openai_guardrails", {"guardrail": "Jailbreak", "config": {"model": "m"}}, "Hi.")) == FAILED
    with pytest.raises(CheckConfigError, match="refuses 'Keyword Filter'"):
        kinds()["openai_guardrails"].build("c", {"guardrail": "Keyword Filter"})
    ref = kinds()["openai_guardrails"].build("c", words).ref
    assert (ref.name, ref.version) == ("openai-guardrails/Keyword Filter", "0.3.6")


@pytest.mark.parametrize(
    ("stage", "objection"),
    [("input", (Outcome.VIOLATED, "check_words", [(0, 9)])), ("output", (Outcome.VIOLATED, "rail", [(4, 8)]))],
)
def test_nemo_guardrails(rails: Path, stage: str, objection: object) -> None:
    """Input rails block and output rails mask; an action that fails is an error, although theirs then blocks."""
    configuration = {"config": str(rails), "stage": stage}
    assert seen(decided("nemo", configuration, "Buy ours.")) == PASSED
    assert seen(decided("nemo", configuration, "Buy Acme.")) == objection
    assert seen(decided("nemo", configuration, "explode")) == FAILED


def test_nemo_refuses_what_is_not_there(rails: Path) -> None:
    """A flow that the configuration does not name, and a folder without one."""
    with pytest.raises(CheckConfigError, match="'check moods' is not among the input rails"):
        kinds()["nemo"].build("c", {"config": str(rails), "stage": "input", "rails": ["check moods"]})
    with pytest.raises(CheckConfigError, match="refuses"):
        kinds()["nemo"].build("c", {"config": str(rails / "nowhere"), "stage": "input"})


def judged(asked: Asked) -> Answer:
    """Answer as a model that judges a text, and as one that talks."""
    text = json.loads(asked.body)["messages"][-1]["content"]
    verdict = {"valid": "acme" not in text.lower(), "explanation": "", "risk_score": 0.9}
    content = "I would rather not." if text == "odd" else json.dumps(verdict)
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return Answer(body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def model() -> Iterator[str]:
    with serving(judged) as url:
        yield f"{url}/v1"


def test_any_guardrail(model: str) -> None:
    """A model behind it decides; one that is not there, or that only talks, is an error."""

    def of(url: str) -> dict[str, Any]:
        arguments = {"policy": "Name none.", "model_id": "openai:m", "api_key": "none", "api_base": url}
        return {"guardrail": "any_llm", "validate_with": arguments}

    assert seen(decided("any_guardrail", of(model), "Buy ours.")) == PASSED
    assert seen(decided("any_guardrail", of(model), "Buy Acme.")) == (Outcome.VIOLATED, "any_llm", [(0, 9)])
    assert seen(decided("any_guardrail", of("http://127.0.0.1:9/v1"), "Hi.")) == FAILED
    assert decided("any_guardrail", of(model), "odd").outcome is Outcome.ERROR
    with pytest.raises(CheckConfigError, match="unknown guardrail 'any_lm'"):
        kinds()["any_guardrail"].build("c", {"guardrail": "any_lm"})


class NoConfig(BaseModel):
    """Configuration of a guardrail that takes none."""


@specspan.observe(model="parrot-1")
def parrot(text: str) -> str:
    return text


@pytest.mark.parametrize("kind", ["openai_guardrails", "nemo"])
def test_what_a_guardrail_traces_is_below_the_call(rails: Path, kind: str) -> None:
    """A check function of theirs and an action of theirs make spans, in an event loop of another thread."""
    guardrails = import_module("guardrails")

    def trace_span() -> None:
        pipeline = active()
        assert pipeline is not None
        pipeline.recorder._tracer.start_span("guardrail.check").end()

    async def check(context: Any, text: str, config: NoConfig) -> Any:
        trace_span()
        return guardrails.GuardrailResult(tripwire_triggered=False)

    if kind == "openai_guardrails":
        guardrails.default_spec_registry.register("Traced", check, "Traces itself.", "text/plain")
        configuration: dict[str, Any] = {"guardrail": "Traced"}
    else:
        (rails / "actions.py").write_text(
            "from nemoguardrails.actions import action\nfrom specspan.instrument.gate import active\n\n"
            "@action()\nasync def mask_words(text: str):\n"
            "    active().recorder._tracer.start_span('guardrail.check').end()\n    return text\n"
        )
        configuration = {"config": str(rails)}
    (rails / "shop.md").write_text(SPEC)
    clauses = {"no_competitor": {"checks": [{kind: configuration}]}}
    (rails / "policy.yaml").write_text(json.dumps({"spec": "shop.md", "clauses": clauses}))
    with recorded(rails / "policy.yaml") as what:
        parrot("hello")
        spans = {span.name: span for span in what.spans}
        assert [decision["verdict"] for decision in what.decisions] == ["complied"]
    assert spans["guardrail.check"].parent == spans["chat parrot-1"].context
