"""Every list and tree at 80 columns, with the longest ids of the Model Spec: no id is broken, no line too long."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specspan.sqlite import SQLiteDecisionExporter

Run = Callable[..., Any]

LONGEST = ("be_concise_and_conversational_in_voice_mode", "do_not_make_unprompted_personal_comments")
TITLES = ("Answers that are spoken, not read", "Remarks on persons that nobody asked for")
WIDTH = 80
SPEC = "".join(
    f"# {title} {{#{id_} authority=user}}\n\nSay no more than what was asked, in the words of whoever asked it.\n\n"
    for id_, title in zip(LONGEST, TITLES, strict=True)
)
POLICY = f"""\
spec: spec.md
clauses:
  {LONGEST[0]}:
    checks:
      - pattern: {{stage: output, any: ['as an assistant'], reason: says_what_it_is}}
"""
COMMANDS = (
    ("traces", "--db", "specspan.db"),
    ("traces", "show", "2", "--db", "specspan.db"),
    ("traces", "show", "2", "--all", "--db", "specspan.db"),
    ("decisions", "--db", "specspan.db"),
    ("decisions", "show", "--db", "specspan.db"),
    ("stats", "--by", "clause", "--db", "specspan.db"),
    ("stats", "--by", "spec_version", "--db", "specspan.db"),
    ("rates", "--db", "specspan.db"),
    ("spec", "show", "spec.md"),
    ("spec", "lint", "spec.md"),
    ("spec", "diff", "spec.md", "changed.md"),
    ("policy", "check", "policy.yaml"),
    ("policy", "coverage", "policy.yaml"),
)


@pytest.fixture
def folder(recorded: Path, finding: Any, decision: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a store, a spec and a policy whose clauses have these ids."""
    findings = [finding(id_, "violated", reason="says_what_it_is") for id_ in LONGEST]
    late = decision("0" * 15 + "2", *findings, trace_id="2" + "0" * 31, time_unix_nano=4 * 10**9, verdict="violated",
                    action="flag", would="block", governing_clause=LONGEST[0], reason="says_what_it_is",
                    call={"provider": "openai", "operation": "chat", "model": "m-1"})  # fmt: skip
    exporter = SQLiteDecisionExporter(recorded)
    exporter.export([{**late, "id": "0198c2f4-9a3b-7000-8000-000000000009"}])
    exporter.shutdown()
    (recorded.parent / "spec.md").write_text(SPEC, encoding="utf-8")
    (recorded.parent / "changed.md").write_text(SPEC.replace("words of", "manner of"), encoding="utf-8")
    (recorded.parent / "policy.yaml").write_text(POLICY, encoding="utf-8")
    monkeypatch.chdir(recorded.parent)
    return recorded.parent


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_id_is_broken(specspan: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """Whatever gives way, an id stands whole or not at all."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    ran = specspan(*command)
    assert ran.out, ran.err
    assert [line for line in ran.out.splitlines() if len(line) > WIDTH or line != line.rstrip()] == []
    assert broken(ran.out) == []


def broken(text: str) -> list[str]:
    """Return the words that are the beginning or the end of an id."""
    words = re.findall(r"\w{6,}", text)
    return [word for word in words for id_ in LONGEST if word != id_ and (id_.startswith(word) or id_.endswith(word))]


def test_a_broken_id_would_be_found() -> None:
    """At its beginning and at its end."""
    assert broken(f"x be_concise_and_conver…\nsational_in_voice_mode {LONGEST[1]}") == [
        "be_concise_and_conver",
        "sational_in_voice_mode",
    ]
