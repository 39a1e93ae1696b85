"""`specspan rates`, as its user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specspan.calibration.calibration_file import Calibration, JudgeCalibration, calibration_text
from specspan.calibration.error_rates import ErrorRates
from specspan.sqlite import SQLiteDecisionExporter

NAME = "openai:gpt-5-mini"
VERSION = "sha256:" + "1" * 64
JUDGE = {"name": NAME, "kind": "judge", "version": VERSION}


@pytest.fixture
def db(tmp_path: Path, decision: Callable[..., Any], finding: Callable[..., Any]) -> Path:
    """Store of 100 calls: a judge calls 14 of them violations, a pattern 3."""
    path = tmp_path / "specspan.db"
    records = []
    for number in range(100):
        judged = finding("be_kind", "violated" if number < 14 else "complied", check=JUDGE)
        matched = finding("keep_secrets", "violated" if number < 3 else "complied")
        service = {"name": "desk" if number % 2 else "<shop>"}
        records.append(decision(f"{number + 1:016x}", judged, matched, service=service))
    exporter = SQLiteDecisionExporter(path)
    exporter.export(records)
    exporter.shutdown()
    return path


@pytest.fixture
def calibration(tmp_path: Path) -> Path:
    """Calibration of the judge."""
    judge = JudgeCalibration("be_kind", NAME, VERSION, ErrorRates(100, 90, 100, 90))
    path = tmp_path / "calibration.json"
    path.write_text(calibration_text(Calibration(0, "sha256:p", "labels.jsonl", "sha256:l", (judge,))))
    return path


def test_a_table_tells_raw_and_corrected_with_the_number_they_are_of(
    db: Path, calibration: Path, specspan: Callable[..., Any]
) -> None:
    """And of the judge how far it is to be trusted."""
    ran = specspan("rates", "--db", db, "--calibration", calibration)
    judge, pattern = (line.split() for line in ran.out.splitlines()[1:])
    assert judge[:9] == ["be_kind", NAME, "100", "0", "14.0%", "of", "100", "5.0%", "0.0%"]
    assert judge[-6:] == ["90", "of", "100", "90", "of", "100"]
    assert pattern[:8] == ["keep_secrets", "keep_secrets_check", "100", "0", "3.0%", "of", "100", "3.0%"]
    assert ran.code == 0


def test_without_a_calibration_no_number_stands_in_its_place(db: Path, specspan: Callable[..., Any]) -> None:
    """But the reason."""
    out = specspan("rates", "--db", db).out
    assert "not estimable" in out.splitlines()[1]
    assert out.splitlines()[1].endswith("not calibrated")


def test_json_has_a_row_for_each_service(db: Path, calibration: Path, specspan: Callable[..., Any]) -> None:
    """With every count."""
    found = json.loads(specspan("rates", "--db", db, "--by", "service", "--json", "--calibration", calibration).out)
    assert (found["v"], found["type"], found["by"]) == (1, "rates", "service")
    assert [(rate["group"], rate["clause"]) for rate in found["rates"]] == [
        ("<shop>", "be_kind"),
        ("<shop>", "keep_secrets"),
        ("desk", "be_kind"),
        ("desk", "keep_secrets"),
    ]
    first = found["rates"][0]
    assert first["raw"] == {"share": 0.14, "of": 50}
    assert first["corrected"]["share"] == pytest.approx(0.05)
    assert first["calls"] == {
        "decided": 50,
        "violated": 7,
        "stand_for": 50,
        "outcomes": {"complied": 43, "violated": 7},
        "unassessed": {},
    }


def test_a_page_stands_alone_and_escapes_what_it_shows(
    db: Path, calibration: Path, specspan: Callable[..., Any]
) -> None:
    """No script, nothing fetched, whatever a service is called."""
    page = specspan("rates", "--db", db, "--by", "service", "--html", "--calibration", calibration).out
    assert "&lt;shop&gt;" in page
    assert "<shop>" not in page
    assert "14.0% of 50" in page
    assert not any(word in page for word in ("<script", "src=", "href=", "@import", "url("))


def test_the_time_is_a_bound(db: Path, specspan: Callable[..., Any]) -> None:
    """Nothing of before it counts, and an empty answer is no error."""
    ran = specspan("rates", "--db", db, "--since", "1h")
    assert (ran.code, ran.out.strip()) == (0, "No check looked at a call in that time.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json", "--html"), "Choose one of --html and --json."),
        (("--by", "colour"), "is not one of"),
        (("--calibration", "missing.json"), "missing.json"),
    ],
)
def test_what_the_user_must_change_is_said(
    db: Path, specspan: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    """With exit code 2."""
    ran = specspan("rates", "--db", db, *arguments)
    assert ran.code == 2
    assert words in ran.err
