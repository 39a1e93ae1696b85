"""Calls of a real client under a policy, recorded in a SQLite file, for replays of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import openai

import specspan
from specspan.call import ToolCall
from specspan.replay.run import Window
from specspan.testing import Reply, ScriptedModel

SPEC = """# Desk {#desk}

## Protect privacy {#protect_privacy authority=root}

Never say a number of a person.

## Keep secrets {#keep_secrets authority=root}

Never take in or tell a password.

## Scope {#scope authority=developer}

Keep to the tools.

## Children {#children authority=user}

Do not speak of wine to children.

## Be brief {#be_brief authority=user}

Be brief.
"""
POLICY = """spec: desk.md
mode: {mode}
clauses:
  protect_privacy:
    severity: high
    action: {action}
    checks:
      - pattern: {{stage: output, any: ['{number}'], reason: ssn}}
  keep_secrets:
    action: block
    checks:
      - pattern: {{stage: input, any: ['hunter2'], reason: password}}
      - pattern: {{stage: output, any: ['hunter2'], reason: password}}
  scope:
    action: block
    checks:
      - scope: {{}}
  children:
    when: {{under_18: true}}
    action: flag
    checks:
      - pattern: {{stage: output, any: ['wine'], reason: wine}}
  be_brief:
    action: flag
    checks:
      - pattern: {{stage: output, any: ['(word ){{50}}'], reason: long, sample: 0.5}}
overrides:
  - {{clause: be_brief, by: developer, reason: long form, until: 2020-01-01}}
"""
EVER = Window(None, 2**62)
NUMBER = r"\d{3}-\d{2}-\d{4}"
SCRIPT: dict[str, Reply | str] = {
    "number": "It is 123-45-6789, I think.",
    "wine": "Red wine, of course.",
    "tool": Reply("", (ToolCall("refund", {"amount": 5}, "t-1"), ToolCall("search", {"q": "x"}, "t-2"))),
    "echo": "My password is hunter2 and yours?",
    "long": "word " * 100,
    "hello": "Hello.",
    "fail": Reply("no", status=400),
}


def write_policy(
    folder: Path, mode: str = "observe", action: str = "redact", number: str = NUMBER, name: str = "policy.yaml"
) -> Path:
    """Write the policy and its spec."""
    (folder / "desk.md").write_text(SPEC, encoding="utf-8")
    path = folder / name
    path.write_text(POLICY.format(mode=mode, action=action, number=number), encoding="utf-8")
    return path


def record_calls(policy: Path, db: Path) -> int:
    """Make a call of every kind; return the number of calls that were decided."""
    specspan.configure(policy, db=str(db))
    specspan.instrument("openai")
    try:
        with (
            ScriptedModel(SCRIPT) as model,
            openai.OpenAI(base_url=model.base_url, api_key="x", max_retries=0) as client,
        ):
            return _make_calls(client)
    finally:
        specspan.shutdown()
        specspan.uninstrument()


def _make_calls(client: openai.OpenAI) -> int:
    calls: list[Callable[[], object]] = []

    def ask(text: str, *, stream: bool = False, limit: int | None = None) -> None:
        answer = client.chat.completions.create(
            model="gpt-5", messages=[{"role": "user", "content": text}], stream=stream, temperature=0.5
        )
        if isinstance(answer, openai.Stream):
            with answer:
                for number, _ in enumerate(answer, 1):
                    if number == limit:
                        break

    for text in ("hello", "number", "echo", "long", "tool", "wine", "what of hunter2", "fail"):
        calls += [lambda text=text: ask(text), lambda text=text: ask(text, stream=True)]  # type: ignore[misc]
    calls.append(lambda: ask("long", stream=True, limit=3))
    for call in calls:
        with contextlib.suppress(specspan.Blocked, openai.APIError):
            call()
    with specspan.context(under_18=True, user="u-1", conversation="c-1"), contextlib.suppress(specspan.Blocked):
        ask("wine")
    scope = specspan.ScopeOfAutonomy(allowed_tools=("search",))
    with specspan.context(scope=scope), contextlib.suppress(specspan.Blocked):
        ask("tool")
    with specspan.override("be_brief", by="user", reason="tell all"):
        ask("long")
    return len(calls) + 3
