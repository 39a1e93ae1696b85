"""A simulated fortnight: the incident about the faulty deployment finds it among all that changed."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from benchmarks import fleet
from click.testing import CliRunner
from postgres_server import Postgres

from specspan.cli.main import cli
from specspan.incidents.incident_log import IncidentLog
from specspan.ledger.signed_note import Signer, open_note
from specspan.sqlite import SQLiteDecisionExporter
from specspan.stores.opening import open_store
from specspan.stores.people import Person
from specspan_exporter_postgres import PostgresDecisionExporter

ANA = Person("ana")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, fleet.Truth]:
    """A store with the fortnight of 10,000 decisions, and what is in it."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.db"
    return str(path), fleet.write_fleet(path, 10_000)


@pytest.fixture(scope="module")
def incident(written: tuple[str, fleet.Truth]) -> str:
    """Id of the incident that the alert of the faulty deployment would have opened."""
    log = IncidentLog(written[0])
    opened = log.open(
        "protect_privacy", by=ANA, since_unix_nano=fleet.FAULT_NS - fleet.HOUR_NS, baseline_unix_nano=fleet.START_NS
    )
    log.close()
    return opened.incident.id


@pytest.fixture(scope="module")
def facts(written: tuple[str, fleet.Truth], incident: str) -> Mapping[str, Any]:
    """The incident, as the command prints it."""
    result = CliRunner().invoke(cli, ["incident", "show", incident, "--db", written[0], "--json"])
    assert result.exit_code == 0, result.output
    shown: Mapping[str, Any] = json.loads(result.stdout)["facts"]
    return shown


def test_the_faulty_deployment_is_the_first_of_all_changes(facts: Mapping[str, Any]) -> None:
    """Among new versions of services, policies, the spec and the checks; its interval is clear of one."""
    first = facts["changes"][0]
    assert (first["factor"], first["version"], first["replaced"]) == ("service version", fleet.FAULTY, ["shop 2.4.0"])
    assert first["lift"]["interval"][0] > 10
    factors = {change["factor"] for change in facts["changes"]}
    assert factors == {"service version", "policy", "spec", "check"}
    assert sum(change["factor"] == "policy" for change in facts["changes"]) == 4


def test_counts_are_the_generators(written: tuple[str, fleet.Truth], facts: Mapping[str, Any]) -> None:
    """Every call is counted, before or during; violations by service during the incident are no more than in all."""
    truth = written[1]
    during, before = facts["rate"]["during"], facts["rate"]["before"]
    assert during["of"] + before["of"] == truth.decided["protect_privacy"]
    assert during["violated"] + before["violated"] == truth.violated["protect_privacy"]
    assert sum(rate["violated"] for rate in facts["services"].values()) == during["violated"]
    assert during["interval"][0] < during["share"] < during["interval"][1]
    assert next(iter(facts["services"])) == "shop"
    assert facts["clause"]["text"] == fleet.TEXTS["protect_privacy"]
    assert facts["last_clean"] is not None
    assert facts["outcomes"] == {
        "complied": truth.decided["protect_privacy"] - truth.violated["protect_privacy"],
        "violated": truth.violated["protect_privacy"],
    }


def test_what_never_changed_is_no_change(facts: Mapping[str, Any]) -> None:
    """Models and the versions of the beginning are not among the changes."""
    versions = {change["version"] for change in facts["changes"]}
    assert not versions & {"gpt-5-mini", "claude-sonnet-4-5", "shop 2.4.0", "desk 1", fleet.policy_digest(0)}


def test_the_post_mortem_has_every_figure_with_its_denominator(written: tuple[str, fleet.Truth], incident: str) -> None:
    """Markdown, filled in: the rate and its interval, the change, the clause, the first decisions."""
    result = CliRunner().invoke(cli, ["incident", "show", incident, "--db", written[0], "--markdown"])
    assert result.exit_code == 0, result.output
    text = result.stdout
    assert f"service version {fleet.FAULTY}, after shop 2.4.0" in text
    assert "decided calls" in text
    assert f"> {fleet.TEXTS['protect_privacy']}" in text
    assert "| State | open |" in text


def test_the_terminal_shows_the_change_first(written: tuple[str, fleet.Truth], incident: str) -> None:
    """The first line below the title of the changes is the faulty deployment."""
    result = CliRunner().invoke(cli, ["incident", "show", incident[:8], "--db", written[0]])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    title = next(number for number, line in enumerate(lines) if line.startswith("What changed"))
    assert fleet.FAULTY in lines[title + 2]


def test_the_bundle_is_whole_and_signed(
    written: tuple[str, fleet.Truth],
    incident: str,
    facts: Mapping[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every file is in the manifest, whose signature is the configured key's; the same facts make the same records."""
    signer = Signer.generate("desk")
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY", signer.private_text)
    path = tmp_path / "incident.zip"
    result = CliRunner().invoke(cli, ["incident", "bundle", incident, "--db", written[0], "-o", str(path)])
    assert result.exit_code == 0, result.output
    assert str(signer.public_key) in result.stdout
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    manifest = open_note(files.pop("MANIFEST").decode(), [signer.public_key])
    assert manifest == "".join(f"{sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    decisions = [json.loads(line) for line in files["decisions.jsonl"].splitlines()]
    assert len(decisions) == facts["rate"]["during"]["violated"]
    assert len(files["policies.jsonl"].splitlines()) == 5


def test_without_a_key_it_says_so(written: tuple[str, fleet.Truth], incident: str, tmp_path: Path) -> None:
    """A manifest that nobody signed is told from one that somebody did."""
    arguments = ["incident", "bundle", incident, "--db", written[0], "-o", str(tmp_path / "x.zip")]
    result = CliRunner().invoke(cli, arguments)
    assert "NOT SIGNED" in result.stdout


def test_postgresql_answers_alike(server: Postgres, tmp_path: Path) -> None:
    """The calls of each clause are the same ones, from either store, also within a time."""
    url, file = server.new_database(), str(tmp_path / "fleet.db")
    records = [*fleet.policy_records(), *fleet.decision_records(300, fleet.Truth())]
    for exporter in (PostgresDecisionExporter(url), SQLiteDecisionExporter(file)):
        exporter.export(records)
        exporter.shutdown()
    middle = fleet.START_NS + 7 * 24 * fleet.HOUR_NS
    with open_store(url) as one, open_store(file) as other:
        for clause in (*fleet.CLAUSES, "nobody"):
            for since, until in ((None, None), (middle, None), (None, middle)):
                found = list(one.clause_calls(clause, since, until))
                assert found == list(other.clause_calls(clause, since, until))
                assert len(found) == (0 if clause == "nobody" else 300 if since is until is None else 150)
