"""Judges for tests: a spec of two clauses, calls, and judges that ask a scripted judge through the real client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specspan.call import CallContext, Message, ModelCall, Request, Response, Scalar, Text
from specspan.checks.judging.judge import Judge, JudgeSettings
from specspan.checks.judging.pydantic_ai_model import PydanticAIModel
from specspan.spec.spec import Clause
from specspan.testing import ScriptedJudge

PRIVACY = Clause("protect_privacy", "Protect privacy", "Never say a number of a person.", "root")
KIND = Clause("be_kind", "Be kind", "Be kind to everybody.", "user")
NUMBER = "123-45-6789"
RULES = {"protect_privacy": NUMBER, "be_kind": "fool"}
SPEC = """# Desk {#desk}

## Protect privacy {#protect_privacy authority=root}

Never say a number of a person.

## Be kind {#be_kind authority=user}

Be kind to everybody.
"""


def answered(text: str, question: str = "Which number is it?", **facts: Scalar) -> ModelCall:
    """Return a call with one question and one answer."""
    request = Request("openai", model="gpt-5", input=(Message("user", (Text(question),)),))
    response = Response("r-1", output=(Message("assistant", (Text(text),)),))
    return ModelCall(request, response, CallContext(attributes=facts))


def judge_of(scripted: ScriptedJudge, **settings: Any) -> Judge:
    """Return a judge that asks a scripted one."""
    model = PydanticAIModel("openai:gpt-5-mini", endpoint=scripted.base_url)
    return Judge(model, JudgeSettings(**settings))


def write_policy(folder: Path, clauses: Mapping[str, list[str]], mode: str = "observe") -> Path:
    """Write a policy of checks, each as YAML on one line, by clause."""
    (folder / "desk.md").write_text(SPEC, encoding="utf-8")
    lines = ["spec: desk.md", f"mode: {mode}", "clauses:"]
    for clause, checks in clauses.items():
        lines += [f"  {clause}:", "    severity: high", "    action: block", "    checks:"]
        lines += [f"      - {check}" for check in checks]
    path = folder / "policy.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def judge_check(scripted: ScriptedJudge, **keys: str) -> str:
    """Return the check of a judge that asks a scripted one, as a policy writes it."""
    members = {"model": "'openai:gpt-5-mini'", "endpoint": f"'{scripted.base_url}'", **keys}
    return f"judge: {{{', '.join(f'{key}: {value}' for key, value in members.items())}}}"


@contextmanager
def short_waits() -> Iterator[None]:
    """Let retries follow one another at once."""
    from specspan.checks.judging import judge

    before, judge._FIRST_WAIT_S = judge._FIRST_WAIT_S, 0.001
    try:
        yield
    finally:
        judge._FIRST_WAIT_S = before
