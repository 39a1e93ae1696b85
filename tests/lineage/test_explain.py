"""`specspan explain`: every link of a decision's chain, by its digest, and what is not at hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner
from replayed import SCRIPT, write_policy

import specspan
from specspan.cli.main import cli
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingKind
from specspan.sqlite import Filter, Reader
from specspan.stores.people import Person
from specspan.testing import ScriptedModel

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a policy, a ledger and the decision about one call, which violates and has an override."""
    folder = tmp_path_factory.mktemp("lineage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONTENT, "SPAN_ONLY")
        patch.setenv("SPECSPAN_LEDGER", str(folder / "ledger"))
        specspan.configure(write_policy(folder), db=str(folder / "calls.db"))
        specspan.instrument("openai")
        with ScriptedModel(SCRIPT) as model, openai.OpenAI(base_url=model.base_url, api_key="x") as client:
            with specspan.override("be_brief", by="user", reason="tell all"):
                client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "number"}])
        specspan.shutdown()
        specspan.uninstrument()
    return folder


def explain(folder: Path, *arguments: object, db: str = "calls.db") -> Any:
    with Reader(folder / db) as reader:
        (decision,) = reader.decisions(Filter(limit=-1))
    command = ["explain", decision["id"], "--db", folder / db, "--json", *arguments]
    ran = CliRunner().invoke(cli, [*map(str, command)])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    return json.loads(ran.stdout)


def test_the_whole_chain_is_shown(folder: Path) -> None:
    """Text, binding with its line, check, override, review and proof, each by its digest; nothing is missing."""
    queue = ReviewQueue(str(folder / "calls.db"))
    with Reader(folder / "calls.db") as reader:
        (decision,) = reader.decisions(Filter(limit=-1))
    task = queue.open(decision["id"], "protect_privacy", by=Person("Ann"))
    queue.rule(task.id, Person("Ann"), RulingKind.CONFIRM, reason="it is one")
    queue.close()
    told = explain(folder, "--ledger", folder / "ledger")
    assert told["lacks"] == []
    clause, overridden = told["clauses"]
    assert (clause["clause"], overridden["clause"]) == ("protect_privacy", "be_brief")
    assert clause["text"].strip() == "Never say a number of a person."
    assert clause["text_of"]["digest"] == decision["spec"][0]["digest"]
    lines = (folder / "policy.yaml").read_text().splitlines()
    for place in clause["bound_at"]:
        word = "severity" if place["what"] == "clause" else "pattern"
        assert word in lines[place["line"] - 1] or "protect_privacy" in lines[place["line"] - 1]
    assert [place["what"] for place in clause["bound_at"]] == ["clause", "check pattern"]
    (finding,) = clause["findings"]
    assert (finding["outcome"], finding["reason"], finding["check"]["kind"]) == ("violated", "ssn", "pattern")
    assert [(each["clause"], each.get("of_call", False)) for each in told["overrides"]] == [
        ("be_brief", False),
        ("be_brief", True),
    ]
    assert [(each["state"], each["ruled_by"]) for each in told["reviews"]] == [("ruled", ["Ann"])]
    assert told["ledger"]["is_proved"]
    assert decision["id"] in told["ledger"]["record"]


def test_what_is_not_at_hand_is_named(folder: Path, tmp_path: Path) -> None:
    """A policy that changed, a spec that is gone, and no ledger: the rest of the chain is shown, with what it lacks."""
    shutil.copy(folder / "calls.db", tmp_path / "calls.db")
    changed = tmp_path / "policy.yaml"
    changed.write_text((folder / "policy.yaml").read_text() + "# changed\n")
    shutil.copy(folder / "desk.md", tmp_path / "desk.md")
    told = explain(tmp_path, "--policy", changed)
    assert told["clauses"][0]["bound_at"] == []
    assert not told["policy"]["is_at_hand"]
    lacks = " ".join(told["lacks"])
    for word in ("not here as it was then", "No ledger was named"):
        assert word in lacks
    changed.write_text("spec: nowhere.md\n")
    assert "no longer loads" in " ".join(explain(tmp_path, "--policy", changed)["lacks"])
    found = explain(tmp_path, "--policy", changed, "--spec", folder / "desk.md")["clauses"][0]
    assert found["text"].strip() == "Never say a number of a person."


def test_the_page_names_the_line(folder: Path) -> None:
    """On a terminal the chain stands from the call to what is missing."""
    with Reader(folder / "calls.db") as reader:
        (decision,) = reader.decisions(Filter(limit=-1))
    ran = CliRunner().invoke(cli, ["explain", decision["id"][:13], "--db", str(folder / "calls.db")])
    assert ran.exit_code == 0, ran.output
    for words in ("governed by", "Never say a number of a person.", "policy.yaml:4", "What is missing"):
        assert words in ran.output.replace("\n", "") or words in ran.output
