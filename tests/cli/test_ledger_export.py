"""`specspan ledger export`: whole records with their hashes, in forms that other programs read."""

from __future__ import annotations

import csv
import io
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from ledgers import ENVIRONMENT, decision, find_policy, open_in, records
from ocsf import DETECTION_FINDING

from specspan.cli.main import cli
from specspan.ledger.ocsf import detection_findings

CHECK = {"name": "ssn", "kind": "pattern", "version": "1"}
FINDING: dict[str, Any] = {
    "position": 3,
    "clause": "protect_privacy",
    "authority": "root",
    "outcome": "violated",
    "severity": "high",
    "action": "block",
    "stage": "output",
    "reason": "ssn",
    "check": CHECK,
    "evidence": [{"pointer": "/output/0/parts/0", "start": 1, "end": 12}],
}
VIOLATED = decision(
    "violated",
    verdict="violated",
    action="block",
    mode="enforce",
    trace_id="ab" * 16,
    service={"name": "desk"},
    findings=[
        FINDING,
        {**FINDING, "position": 4, "outcome": "uncertain", "score": 0.72, "check": {**CHECK, "kind": "judge"}},
        {**FINDING, "position": 5, "outcome": "overridden"},
    ],
)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with a policy, a decision that complied and one that did not."""
    folder = tmp_path / "ledger"
    opened = open_in(folder)
    for record in (decision("é", reason='a "b", c'), VIOLATED):
        assert opened.append(record, find_policy)
    opened.shutdown(5.0)
    return folder


def export(ledger: Path, *options: str) -> str:
    """Return what the command prints."""
    ran = CliRunner(env=ENVIRONMENT).invoke(cli, ["ledger", "export", "--ledger", str(ledger), *options])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def test_csv_has_each_record_with_its_hash(ledger: Path) -> None:
    """The hash of a row is computed again from the record in it."""
    rows = list(csv.DictReader(io.StringIO(export(ledger, "--format", "csv"))))
    assert [row["type"] for row in rows] == ["policy", "decision", "decision"]
    for row, record in zip(rows, records(ledger)[1:], strict=False):
        assert row["hash"] == sha256(b"\0" + row["record"].encode()).hexdigest()
        assert row["record"].encode() == record.data
    assert [row["prev"] for row in rows[1:]] == [row["hash"] for row in rows[:-1]]


def test_parquet_is_read_back_with_its_hashes(ledger: Path, tmp_path: Path) -> None:
    """DuckDB computes each record's hash to what the chain has."""
    file = tmp_path / "out.parquet"
    export(ledger, "--format", "parquet", "-o", str(file))
    table = duckdb.sql(f"SELECT id, hash, record, prev, time_unix_nano, seq FROM '{file}' ORDER BY seq")
    assert table is not None
    rows = table.fetchall()
    assert [row[0] for row in rows] == ["sha256:p", "d-é", "d-violated"]
    assert all(row[1] == sha256(b"\0" + row[2].encode()).hexdigest() for row in rows)
    assert [row[3] for row in rows[1:]] == [row[1] for row in rows[:-1]]
    assert rows[1][4] == 1790000000000000001


def test_ocsf_has_a_valid_event_for_each_violation(ledger: Path) -> None:
    """What a SIEM reads: the class, severity and what was done; nothing of what complied or was overridden."""
    events = [json.loads(line) for line in export(ledger, "--format", "ocsf").splitlines()]
    for event in events:
        Draft202012Validator(DETECTION_FINDING).validate(event)
    assert [event["finding_info"]["uid"] for event in events] == ["d-violated/3", "d-violated/4"]
    violated, uncertain = events
    assert (violated["severity"], violated["action"], violated["time"]) == ("High", "Denied", 1790000000000)
    assert violated["finding_info"]["title"] == "Violation of protect_privacy"
    assert violated["metadata"]["correlation_uid"] == "ab" * 16
    (record,) = [each for each in records(ledger) if each.type == "decision" and each.body["id"] == "d-violated"]
    assert violated["unmapped"]["ledger"]["hash"] == sha256(b"\0" + record.data).hexdigest()
    assert (uncertain["confidence_score"], uncertain["finding_info"]["analytic"]["type_id"]) == (72, 4)


@pytest.mark.parametrize("member", ["service", "policy", "trace_id", "mode", "action"])
def test_ocsf_of_records_that_lack_something(member: str) -> None:
    """A record of another service, or of a violation that came late, gives a valid event."""
    body = {name: value for name, value in VIOLATED.items() if name != member}
    late = {**body, "id": "d/3", "type": "finding", "findings": None, "finding": {**FINDING, "severity": "odd"}}
    for event in (*detection_findings(body, {}), *detection_findings(late, {})):
        Draft202012Validator(DETECTION_FINDING).validate(event)
    (event,) = detection_findings(late, {})
    assert (event["metadata"]["uid"], event["severity_id"]) == ("d/3", 0)
