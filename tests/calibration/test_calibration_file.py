"""File of a calibration: its form, what is stale, and what a policy may demand."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from json_schemas import admits

from specspan.calibration.calibration_file import (
    Calibration,
    ChosenThresholds,
    JudgeCalibration,
    calibration_text,
    read_calibration,
    specificity_problem,
)
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.thresholds import Guarantee, Thresholds
from specspan.errors import ConfigurationError

VERSION = "sha256:" + "1a2b3c4d5e6f" + "0" * 52
OTHER = "sha256:" + "ffeeddccbbaa" + "0" * 52
GOLDEN = Path(__file__).parent / "calibration-v1.json"
CHOSEN = ChosenThresholds(Thresholds(0.8, None), Guarantee(0.95, 0.9), 120)
CALIBRATION = Calibration(
    1_790_000_000_000_000_000,
    "sha256:77aa",
    "labels.jsonl",
    "sha256:5b1c",
    (
        JudgeCalibration("be_kind", "openai:gpt-5-mini", VERSION, ErrorRates(50, 45, 100, 97), 3, 1),
        JudgeCalibration("keep_secrets", "openai:gpt-5-mini", VERSION, ErrorRates(0, 0, 60, 60), 0, 0, CHOSEN),
    ),
)


def schema() -> Any:
    """Published schema of the form."""
    text = resources.files("specspan.calibration").joinpath("schemas/calibration-v1.json").read_text("utf-8")
    return json.loads(text)


def test_the_form_is_that_of_the_golden_file() -> None:
    """To the byte: members may be added to version 1, and then here."""
    assert calibration_text(CALIBRATION) == GOLDEN.read_text("utf-8")


def test_the_published_schema_admits_what_is_written() -> None:
    """And not what lacks a count."""
    value = json.loads(calibration_text(CALIBRATION))
    assert admits(schema(), value)
    del value["judges"][0]["sensitivity"]["of"]
    assert not admits(schema(), value)


def test_what_is_written_is_read_back() -> None:
    """As it was."""
    assert read_calibration(GOLDEN) == CALIBRATION


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"v": 2}, "newer version (form 2; this one knows 1)"),
        ({"type": "agreement"}, "unknown value 'agreement'"),
        ({"judges": [{"clause": "c"}]}, "'check' is missing"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    """With what is wrong, and a remedy."""
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps({**json.loads(calibration_text(CALIBRATION)), **change}))
    with pytest.raises(ConfigurationError) as refused:
        read_calibration(path)
    assert words in str(refused.value)


def test_a_changed_judge_makes_its_calibration_stale() -> None:
    """Which is told apart from a clause that never had one, by the digests of before and now."""
    assert CALIBRATION.problem("be_kind", VERSION) is None
    stale = CALIBRATION.problem("be_kind", OTHER)
    assert stale is not None
    assert "stale" in stale
    assert "1a2b3c4d5e6f" in stale
    assert "ffeeddccbbaa" in stale
    assert CALIBRATION.problem("cite_sources", VERSION) == "not calibrated"


def test_a_specificity_has_to_be_shown_and_not_only_seen() -> None:
    """Sixty of sixty show 95%, and 97 of 100, though above it, do not."""
    assert specificity_problem(CALIBRATION, "keep_secrets", VERSION, 0.95) is None
    problem = specificity_problem(CALIBRATION, "be_kind", VERSION, 0.95)
    assert problem == "a specificity of 0.95 is not shown: 97 of 100 labelled answers without a violation cleared"
    assert specificity_problem(CALIBRATION, "be_kind", VERSION, 0.9) is None


def test_without_a_calibration_nothing_is_shown() -> None:
    """Neither without a file, nor for a clause that it lacks, nor by a stale one."""
    assert specificity_problem(None, "be_kind", VERSION, 0.5) == "not calibrated"
    assert specificity_problem(CALIBRATION, "cite_sources", VERSION, 0.5) == "not calibrated"
    assert "stale" in str(specificity_problem(CALIBRATION, "be_kind", OTHER, 0.5))


def test_counts_that_contradict_themselves_show_nothing_impossible(tmp_path: Path) -> None:
    """More found than there are, in a file that somebody edited, count as all."""
    value = json.loads(calibration_text(replace(CALIBRATION, judges=CALIBRATION.judges[:1])))
    value["judges"][0]["sensitivity"]["agreed"] = 99
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(value))
    assert read_calibration(path).judges[0].errors.sensitivity == 1.0
