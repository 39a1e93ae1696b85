"""Report of a simulated fortnight: its figures are the generator's, and the same records make the same bytes."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import ledgers
import pytest
from benchmarks import fleet
from click.testing import CliRunner
from postgres_server import Postgres

from specspan.assurance.call_counts import count_calls
from specspan.cli.main import cli
from specspan.incidents.incident_log import IncidentLog
from specspan.sqlite import SQLiteDecisionExporter
from specspan.sqlite.call_groups import group_decisions
from specspan.stores.opening import open_store
from specspan.stores.people import Person
from specspan_exporter_postgres import PostgresDecisionExporter

WINDOW = ("--since", "2026-09-09", "--until", "2026-09-25")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, fleet.Truth]:
    """A store with the fortnight of 4,000 decisions and an incident, and what is in it."""
    path = tmp_path_factory.mktemp("fleet") / "fleet.db"
    truth = fleet.write_fleet(path, 4_000)
    log = IncidentLog(str(path))
    log.open("protect_privacy", by=Person("ana"), since_unix_nano=fleet.FAULT_NS, baseline_unix_nano=fleet.START_NS)
    log.close()
    return str(path), truth


def report(db: str, format_: str, *window: str) -> bytes:
    """What the command prints."""
    result = CliRunner().invoke(cli, ["report", *(window or WINDOW), "--format", format_, "--db", db])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


def test_figures_are_the_generators(written: tuple[str, fleet.Truth]) -> None:
    """Decisions, verdicts and violations by clause, each with its denominator and an interval around it."""
    db, truth = written
    told = json.loads(report(db, "json"))
    assert told["decisions"]["total"] == truth.decisions
    verdicts: dict[str, int] = {}
    for counts in told["decisions"]["by_service"].values():
        for verdict, number in counts.items():
            verdicts[verdict] = verdicts.get(verdict, 0) + number
    assert verdicts == dict(truth.verdicts)
    for clause in told["clauses"]:
        rate = clause["violations"]
        assert (rate["violated"], rate["of"]) == (truth.violated[clause["clause"]], truth.decided[clause["clause"]])
        assert rate["interval"][0] <= rate["share"] <= rate["interval"][1]
    assert len(told["texts"]) == 5
    assert {spec["version"] for text in told["texts"] for spec in text["spec"]} == {"1", "2"}


def test_a_time_within_it_counts_what_is_in_it(written: tuple[str, fleet.Truth]) -> None:
    """Two halves make the whole, in every figure; a time without records says so."""
    db, truth = written
    halves = [
        json.loads(report(db, "json", "--since", since, "--until", until))
        for since, until in (("2026-09-09", "2026-09-16"), ("2026-09-16", "2026-09-25"))
    ]
    assert sum(half["decisions"]["total"] for half in halves) == truth.decisions
    violated = sum(c["violations"]["violated"] for half in halves for c in half["clauses"])
    assert violated == sum(truth.violated.values())
    empty = json.loads(report(db, "json", "--since", "2025-01-01", "--until", "2025-01-02"))
    assert empty["lacking"][0] == "No decision is on record in this time."
    assert empty["clauses"] == []


def test_one_service_alone(written: tuple[str, fleet.Truth]) -> None:
    """Services make the whole together; an unknown one is refused with those that there are."""
    db, truth = written
    told = {name: json.loads(report(db, "json", *WINDOW, "--service", name)) for name in fleet.SERVICES}
    assert sum(each["decisions"]["total"] for each in told.values()) == truth.decisions
    for name, each in told.items():
        violated = {clause["clause"]: clause["violations"]["violated"] for clause in each["clauses"]}
        assert violated == {clause: truth.by_service[clause, name] for clause in fleet.CLAUSES}
    refused = CliRunner().invoke(cli, ["report", *WINDOW, "--service", "nobody", "--db", db])
    assert (refused.exit_code, "back-office, shop" in refused.output) == (1, True)


def test_checks_of_one_clause_and_overrides(tmp_path: Path, server: Postgres) -> None:
    """Two findings about a clause are one call, by the worst; overrides are counted, and the reasons of refusals."""
    finding = {"clause": "be_kind", "outcome": "complied", "check": {"name": "a"}}
    overrides = [
        {"clause": "be_brief", "by": "user", "granted": True},
        {"clause": "be_kind", "by": "user", "refusal": "x"},
    ]
    records = [
        {
            "v": 2,
            "type": "decision",
            "id": f"d-{number}",
            "time_unix_nano": fleet.START_NS + number,
            "service": {"name": "desk"},
            "verdict": "violated",
            "action": "flag",
            "mode": "observe",
            "findings": [
                finding,
                {**finding, "outcome": "violated"},
                {"clause": "quiet", "outcome": "unassessed", "reason": "no_check"},
            ],
            "overrides": overrides if number else [],
        }
        for number in range(3)
    ]
    told = []
    for db in (str(tmp_path / "desk.db"), server.new_database()):
        exporter = PostgresDecisionExporter(db) if db.startswith("postgres") else SQLiteDecisionExporter(db)
        exporter.export(records)
        exporter.shutdown()
        told.append(json.loads(report(db, "json")))
    kind, quiet = told[0]["clauses"]
    assert (kind["violations"]["violated"], kind["violations"]["of"], quiet["unassessed"]) == (3, 3, {"no_check": 3})
    counted = [(each["clause"], each["result"], each["calls"], each["of"]) for each in told[0]["overrides"]]
    assert counted == [("be_brief", "granted", 2, 3), ("be_kind", "x", 2, 3)]
    assert told[0] == told[1]


def test_a_ledger_is_checked_and_reconciled(written: tuple[str, fleet.Truth], tmp_path: Path) -> None:
    """Its accounts stand in the report; without one the report says what it does not show."""
    ledgers.write(tmp_path / "ledger", range(3))
    words = ("--ledger", str(tmp_path / "ledger"), "--key", str(ledgers.KEY.public_key))
    told = json.loads(report(written[0], "json", *WINDOW, *words))
    assert (told["ledger"]["fault"], told["ledger"]["attempted"], told["ledger"]["keys"]) == (None, 3, "given")
    assert not any("ledger was given" in sentence for sentence in told["lacking"])
    assert "Intact" in report(written[0], "html", *WINDOW, *words).decode()
    assert any("No ledger was given" in each for each in json.loads(report(written[0], "json"))["lacking"])


def test_groups_are_what_single_decisions_make(written: tuple[str, fleet.Truth]) -> None:
    """A store that groups none has the same counts."""
    with open_store(written[0]) as reader:
        grouped = count_calls(reader.call_groups(fleet.START_NS, fleet.END_NS))
        single = count_calls(group_decisions(reader.iter_decisions(fleet.START_NS)))
    assert grouped == single
    assert grouped.calls == written[1].decisions


@pytest.mark.parametrize("format_", ["html", "json", "csv", "oscal"])
def test_the_same_records_make_the_same_bytes(written: tuple[str, fleet.Truth], format_: str) -> None:
    """In every form of text."""
    assert report(written[0], format_) == report(written[0], format_)


def test_the_page_stands_alone(written: tuple[str, fleet.Truth]) -> None:
    """It fetches nothing, runs nothing, and has a section for each part."""
    page = report(written[0], "html").decode()
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    for title in ("Texts and policies", "Violations by clause", "Incidents", "Evidence for", "does not say"):
        assert title in page
    assert "EU AI Act, Article 73" in page


def test_the_table_for_spreadsheets(written: tuple[str, fleet.Truth]) -> None:
    """A row a clause, with numbers."""
    rows = list(csv.DictReader(io.StringIO(report(written[0], "csv").decode())))
    assert [row["clause"] for row in rows] == sorted(fleet.CLAUSES)
    assert all(int(row["violated"]) <= int(row["decided"]) for row in rows)


def test_oscal_has_a_finding_for_each_decided_clause(written: tuple[str, fleet.Truth]) -> None:
    """Satisfied only where nothing was violated; ids are of version 4 and refer to observations that are there."""
    document: dict[str, Any] = json.loads(report(written[0], "oscal"))["assessment-results"]
    (result,) = document["results"]
    observed = {each["uuid"] for each in result["observations"]}
    states = {each["title"]: each["target"]["status"]["state"] for each in result["findings"]}
    assert states["cite_sources"] == "satisfied"
    assert states["protect_privacy"] == "not-satisfied"
    for finding in result["findings"]:
        assert finding["uuid"][14] == "4"
        assert {each["observation-uuid"] for each in finding["related-observations"]} <= observed


def test_an_end_before_the_start_is_refused(written: tuple[str, fleet.Truth], tmp_path: Path) -> None:
    """And a store that is not there, with a remedy."""
    words = ["report", "--since", "2026-09-09", "--until", "2026-09-01", "--db", written[0]]
    assert CliRunner().invoke(cli, words).exit_code == 2
    missing = CliRunner().invoke(cli, ["report", "--since", "7d", "--db", str(tmp_path / "none.db")])
    assert "no such file" in f"{missing.output}{missing.exception}"


def test_the_pdf_is_of_the_same_page(written: tuple[str, fleet.Truth]) -> None:
    """Where Pango is there."""
    try:
        import weasyprint  # noqa: F401
    except OSError:
        pytest.skip("Pango is not on this machine")
    assert report(written[0], "pdf").startswith(b"%PDF-")
