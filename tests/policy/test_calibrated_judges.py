"""Judges of a policy under its calibration: thresholds, and judges that may not act."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from judged import answered, judge_check, write_policy

from specspan.calibration.calibration_file import Calibration, ChosenThresholds, JudgeCalibration, calibration_text
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.thresholds import Guarantee, Thresholds
from specspan.decision import Mode, Outcome
from specspan.errors import PolicyError
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan.testing import ScriptedJudge

ERRORS = ErrorRates(20, 18, 80, 80)
PATTERN = "pattern: {any: [idiot]}"


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedJudge]:
    """Judge that scores an answer by the number in it."""
    with ScriptedJudge(lambda _clause, text: float(text.rpartition("score ")[2][:4])) as judge:
        yield judge


@pytest.fixture
def write(tmp_path: Path, scripted: ScriptedJudge, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Writes a policy whose judge of ``be_kind`` has these keys, and the calibration that it names."""
    monkeypatch.setenv("OPENAI_API_KEY", scripted.api_key)

    def write_both(calibrated: JudgeCalibration | None, *others: str, mode: str = "enforce", **keys: str) -> Path:
        path = write_policy(tmp_path, {"be_kind": [judge_check(scripted, **keys), *others]}, mode)
        if calibrated is not None:
            path.write_text(f"calibration: calibration.json\n{path.read_text()}")
            (tmp_path / "calibration.json").write_text(
                calibration_text(Calibration(0, "sha256:p", "labels.jsonl", "sha256:l", ()))
            )
            (check,) = judge_checks_of(load_policy(path) if not others else load_policy(_alone(path, others)))
            judge = replace(calibrated, check_version=calibrated.check_version or check.ref.version)
            (tmp_path / "calibration.json").write_text(
                calibration_text(Calibration(0, "sha256:p", "labels.jsonl", "sha256:l", (judge,)))
            )
        return path

    return write_both


def _alone(path: Path, others: tuple[str, ...]) -> Path:
    text = path.read_text()
    for other in others:
        text = text.replace(f"      - {other}\n", "")
    alone = path.with_name("alone.yaml")
    alone.write_text(text)
    return alone


def judge(errors: ErrorRates = ERRORS, chosen: ChosenThresholds | None = None, version: str = "") -> JudgeCalibration:
    """Calibration of the judge; without a version, under the one that it has."""
    return JudgeCalibration("be_kind", "openai:gpt-5-mini", version, errors, chosen=chosen)


AGREEMENT = {"threshold": "{agreement: 95%, confidence: 90%}"}
CHOSEN = ChosenThresholds(Thresholds(0.8, 0.1), Guarantee(0.95, 0.9), 200)


def test_a_judge_decides_by_the_thresholds_that_its_calibration_chose(write: Callable[..., Path]) -> None:
    """And abstains in between."""
    (check,) = judge_checks_of(load_policy(write(judge(chosen=CHOSEN), **AGREEMENT)))
    assert check.clause is not None
    found = {
        text: check.judge.judge(check.clause, answered(f"score {text}"), check.thresholds).outcome
        for text in ("0.85", "0.60", "0.05")
    }
    assert found == {"0.85": Outcome.VIOLATED, "0.60": Outcome.UNCERTAIN, "0.05": Outcome.COMPLIED}


@pytest.mark.parametrize("calibrated", [None, judge(), judge(chosen=CHOSEN, version="sha256:stale")])
def test_without_a_calibration_of_it_such_a_judge_decides_nothing(
    write: Callable[..., Path], calibrated: JudgeCalibration | None, caplog: pytest.LogCaptureFixture
) -> None:
    """It says so, and every score leaves the clause uncertain."""
    with caplog.at_level(logging.WARNING, "specspan"):
        (check,) = judge_checks_of(load_policy(write(calibrated, **AGREEMENT)))
    assert check.clause is not None
    assert check.judge.judge(check.clause, answered("score 1.00"), check.thresholds).outcome is Outcome.UNCERTAIN
    assert "decides nothing" in caplog.text


def test_another_threshold_is_another_judge(write: Callable[..., Path]) -> None:
    """Its errors are others, so that its calibration is stale."""
    keys = [
        {},
        {"threshold": "0.7"},
        {"threshold": "0.8"},
        AGREEMENT,
        {"threshold": "{agreement: 90%, confidence: 90%}"},
    ]
    versions = [next(judge_checks_of(load_policy(write(None, **each)))).ref.version for each in keys]
    assert len(set(versions)) == len(keys)


def test_chosen_thresholds_leave_the_digest_as_it_is(write: Callable[..., Path]) -> None:
    """Or a calibration would be stale as soon as it is made."""
    before = next(judge_checks_of(load_policy(write(None, **AGREEMENT)))).ref.version
    after = next(judge_checks_of(load_policy(write(judge(chosen=CHOSEN), **AGREEMENT)))).ref.version
    assert before == after


def test_a_judge_that_has_not_shown_its_specificity_is_only_observed(
    write: Callable[..., Path], caplog: pytest.LogCaptureFixture
) -> None:
    """One that has may act; a stale calibration shows nothing."""

    def mode(calibrated: JudgeCalibration | None) -> Mode:
        policy = load_policy(write(calibrated, min_specificity="95%"))
        return policy.mode_of("be_kind")

    assert mode(judge()) is Mode.ENFORCE
    assert mode(judge(ErrorRates(20, 18, 80, 76))) is Mode.OBSERVE
    assert "a specificity of 0.95 is not shown: 76 of 80" in caplog.text
    assert mode(judge(version="sha256:stale")) is Mode.OBSERVE
    assert mode(None) is Mode.OBSERVE


def test_beside_a_check_that_acts_such_a_judge_is_refused(write: Callable[..., Path]) -> None:
    """As observing the clause would take the other check's action away; where the policy observes, nothing acts."""
    with pytest.raises(PolicyError, match=r"a judge may not act: not calibrated"):
        load_policy(write(None, PATTERN, min_specificity="95%"))
    assert load_policy(write(None, PATTERN, min_specificity="95%", mode="observe")).mode is Mode.OBSERVE
    assert load_policy(write(judge(), PATTERN, min_specificity="95%")).mode_of("be_kind") is Mode.ENFORCE


def test_the_calibration_is_part_of_the_policy_s_digest(write: Callable[..., Path]) -> None:
    """For by other thresholds the same file decides otherwise."""
    path = write(judge(chosen=CHOSEN), **AGREEMENT)
    one = load_policy(path).digest
    other = ChosenThresholds(Thresholds(0.9, 0.1), Guarantee(0.95, 0.9), 200)
    assert load_policy(write(judge(chosen=other), **AGREEMENT)).digest != one


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"min_specificity": "1"}, "not a share that labels can show"),
        ({"threshold": "{agreement: 100%, confidence: 90%}"}, "not a share that labels can show"),
        ({"threshold": "{agreement: 95%}"}, "confidence"),
    ],
)
def test_what_no_calibration_could_show_is_refused(
    write: Callable[..., Path], keys: dict[str, str], words: str
) -> None:
    """When the policy is loaded."""
    with pytest.raises(PolicyError, match=words):
        load_policy(write(None, **keys))


def test_a_calibration_that_cannot_be_read_is_a_problem_of_the_policy(write: Callable[..., Path]) -> None:
    """Told at the key that names it."""
    path = write(judge())
    path.with_name("calibration.json").unlink()
    with pytest.raises(PolicyError, match=r"policy\.yaml:1: calibration: .*calibration\.json: no such file"):
        load_policy(path)
