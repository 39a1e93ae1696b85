"""`specspan review`, `approvals`, `approve` and `deny`, as their user meets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from otlp_receiver import over_http
from reviewed import decision, finding, record, record_call
from sqlite_files import locked

import specspan
from specspan.calibration.labels import read_labels
from specspan.cli.main import cli
from specspan.sqlite import Filter, Reader

ASKED = {"clause": "be_kind", "outcome": "violated", "causes": ["sampled"], "content": True}


@pytest.fixture
def db(tmp_path: Path) -> str:
    """Return a store with one decision that asks for a review, of a call whose content is recorded."""
    address = str(tmp_path / "desk.db")
    ids = record_call(address, "Am I a fool?", "You are, \x1b[31mfool.")
    record(address, decision(1, finding("be_kind", "violated", reason="words"), reviews=[ASKED], **ids))
    return address


def run(*words: str, code: int = 0) -> Result:
    """Run a command, and return its result."""
    result = CliRunner().invoke(cli, words)
    error = "" if result.exception is None else f"{result.exception}"
    assert result.exit_code == code, result.output + error
    return result


def run_json(*words: str) -> Any:
    """Run a command with ``--json``, and return what it prints."""
    return json.loads(run(*words, "--json").output)


def test_a_decision_is_shown_with_its_reviews(db: str) -> None:
    """What waits, and what was ruled by whom, stands with the decision that it is about."""
    with Reader(db) as reader:
        (shown,) = reader.decisions(Filter())
    assert "be_kind  open" in run("decisions", "show", shown["id"], "--db", db).output
    (task,) = run_json("decisions", "show", shown["id"], "--db", db)["review_tasks"]
    run("review", "rule", task["id"], "complied", "--reason", "a quotation", "--db", db, "--as", "ana")
    assert "be_kind  ruled  complied  ana" in run("decisions", "show", shown["id"], "--db", db).output
    (task,) = run_json("decisions", "show", shown["id"], "--db", db)["review_tasks"]
    assert (task["state"], task["ruled_outcome"], task["ruled_by"]) == ("ruled", "complied", ["ana"])


def test_rulings_are_exported_where_the_environment_says(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ruling goes to the collector that the environment names, and into the store, as the call's own spans do."""
    (listed,) = run_json("review", "list", "--db", db)["reviews"]
    with over_http() as (address, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
        monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
        run("review", "rule", listed["id"], "confirm", "--reason", "so it is", "--db", db, "--as", "ana")
    assert received.names == ["specspan.review"]
    with Reader(db) as reader:
        assert [span.name for span in reader.spans(listed["trace_id"])][-1] == "specspan.review"


def test_a_review_from_list_to_label(db: str, tmp_path: Path) -> None:
    """It is found, shown with the call, claimed and ruled on; the ruling is a label that can be read."""
    (listed,) = run_json("review", "list", "--db", db)["reviews"]
    assert (listed["clause"], listed["state"], listed["causes"]) == ("be_kind", "open", ["sampled"])
    shown = run_json("review", "show", listed["id"], "--db", db)
    assert shown["clause_text"] == "Be kind."
    assert shown["messages"][0]["parts"][0]["content"] == "Am I a fool?"
    assert run_json("review", "claim", listed["id"], "--db", db, "--as", "ana")["claimed_by"] == "ana"
    words = ("review", "rule", listed["id"], "complied", "--reason", "a quotation", "--db", db, "--as", "ana")
    assert run_json(*words)["amended"] == ["violated", "complied"]
    with Reader(db) as reader:
        call, ruling_span = reader.spans(listed["trace_id"])
    assert (ruling_span.name, ruling_span.parent_span_id) == ("specspan.review", call.span_id)
    assert ruling_span.attributes["specspan.decision.amended.to"] == "complied"
    assert "a quotation" not in json.dumps(ruling_span.attributes)
    (ruling,) = map(json.loads, run("review", "export", "--db", db).output.splitlines())
    assert (ruling["found"], ruling["ruled"], ruling["ruling"]["reviewer"]) == ("violated", "complied", "ana")
    labels = tmp_path / "labels.jsonl"
    labels.write_text(run("review", "export", "--labels", "--db", db).output, encoding="utf-8")
    (label,) = read_labels(labels).calls
    assert (label.clause, label.outcome.value) == ("be_kind", "complied")
    assert run_json("decisions", "show", listed["decision_id"], "--db", db)["verdict"] == "complied"


def test_what_is_shown_obeys_no_control_character(db: str) -> None:
    """The answer's escape is shown, and not obeyed."""
    text = run("review", "show", "0199", "--db", db).output
    assert "\x1b" not in text
    assert "fool" in text
    assert "Be kind." in text


def test_the_second_ruling_is_told_of_the_first(db: str) -> None:
    """It fails with a message on one line, and lists say how many rulings there are."""
    words = ("review", "rule", "0199", "confirm", "--reason", "rude", "--db", db)
    run(*words, "--as", "ana")
    with pytest.raises(specspan.SpecspanError, match=r"'ana' ruled on .* first"):
        CliRunner().invoke(cli, (*words, "--as", "ben"), catch_exceptions=False)
    assert "ruled" in run("review", "--db", db).output


def test_agreement_is_told_by_clause_and_reviewer(db: str) -> None:
    """Two reviewers who agree on all but one task."""
    asked = ASKED | {"rulings": 2}
    record(
        db, *(decision(n, finding("be_kind", "violated"), reviews=[asked | {"content": False}]) for n in range(2, 8))
    )
    for task in run_json("review", "list", "--db", db)["reviews"]:
        if not task["had_content"]:
            number = int(task["decision_id"][-3:], 16)
            for name in ("ana", "ben"):
                said = "complied" if number % 2 or (name == "ben" and number == 2) else "confirm"
                run("review", "rule", task["id"], said, "--reason", "so", "--db", db, "--as", name)
            if number == 2:
                run("review", "rule", task["id"], "confirm", "--reason", "so", "--db", db, "--as", "caro")
    whole, of_clause = run_json("review", "agreement", "--db", db)
    assert (whole["clause"], of_clause["clause"], whole["tasks"]) == (None, "be_kind", 6)
    kappa = next(each for each in whole["cohen_kappa"] if each["reviewers"] == ["ana", "ben"])
    assert kappa["value"] == pytest.approx(2 / 3)
    assert kappa["low"] <= kappa["value"] <= kappa["high"]
    assert 0.5 < whole["krippendorff_alpha"]["value"] < 1
    assert whole["by_reviewer"]["ben"] == {"agreed": 5, "rulings": 6}
    assert "Krippendorff's alpha" in run("review", "agreement", "--db", db).output


def test_approvals_from_the_command_line(db: str) -> None:
    """One is approved and one denied; who comes too late is told."""
    ask = specspan.approval(db=db)
    one, two = ask.request("refund", {"amount": 120}), ask.request("refund", {"amount": 9})
    assert len(run_json("approvals", "--db", db, "--state", "waiting")["approvals"]) == 2
    assert "refund" in run("approvals", "--db", db).output
    assert run_json("approve", one.id, "--db", db, "--as", "apa", "--digest", one.request.digest)["state"] == "approved"
    assert run_json("deny", two.id[:12], "--db", db, "--as", "apa", "--reason", "no")["settled_by"] == "apa"
    assert one.wait().is_approved
    assert not two.wait().is_approved
    with pytest.raises(specspan.SpecspanError, match=r"'apa' denied .* first"):
        CliRunner().invoke(cli, ("approve", two.id, "--db", db), catch_exceptions=False)


def test_stores_that_cannot_be_used_are_told(db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked file, one of a newer version, and none at all."""
    from specspan.sqlite import transactions
    from specspan.sqlite.schema import VERSION

    assert run("review", "list", "--db", str(tmp_path / "none.db")).output == "No reviews.\n"
    monkeypatch.setattr(transactions.SQLiteTransactions.__init__, "__kwdefaults__", {"patience_s": 0.05})
    with locked(Path(db)), pytest.raises(specspan.StoreError, match="locked"):
        CliRunner().invoke(cli, ("review", "claim", "0199", "--db", db), catch_exceptions=False)
    newer = tmp_path / "newer.db"
    newer.write_bytes(Path(db).read_bytes())
    import sqlite3

    with sqlite3.connect(newer) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(specspan.StoreError, match="written by a newer version"):
        CliRunner().invoke(cli, ("review", "list", "--db", str(newer)), catch_exceptions=False)
