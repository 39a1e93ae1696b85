"""File of a calibration: for each clause and judge, how often the judge agrees with labels.

The form is a JSON Schema in the package, ``specspan/calibration/schemas/calibration-v1.json``.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from specspan._support.files import read_text_file
from specspan._support.messages import Problems
from specspan.calibration.binomial import Interval
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.thresholds import Guarantee, Thresholds
from specspan.documents.json import read_json
from specspan.documents.node import Limits
from specspan.documents.validation import validate
from specspan.errors import ConfigurationError, Problem

VERSION = 1
_MAX_BYTES = 64 << 20
_LIMITS = Limits(max_weight=256_000_000)
_SHOWN_DIGEST = len("sha256:") + 12


@dataclass(frozen=True, slots=True)
class ChosenThresholds:
    """Thresholds that were chosen from labels, and the guarantee that those labels show of them."""

    thresholds: Thresholds
    guarantee: Guarantee
    labels: int
    """Labels that they were chosen by; the error rates are of other ones."""


@dataclass(frozen=True, slots=True)
class JudgeCalibration:
    """Agreement of one judge with the labels of one clause."""

    clause: str
    check_name: str
    """Name of the judge, as findings bear it."""
    check_version: str
    """Digest of all that the judge's answer depends on, as findings bear it."""
    errors: ErrorRates
    undecided: int = 0
    """Labelled answers that the judge was uncertain about."""
    failed: int = 0
    """Labelled answers that the judge gave no answer on."""
    chosen: ChosenThresholds | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration of the judges of a policy by one set of labels."""

    time_unix_nano: int
    policy_digest: str
    labels_source: str
    labels_digest: str
    judges: tuple[JudgeCalibration, ...]
    digest: str = field(default="", compare=False)
    """``sha256:`` and the hex digest of the file that it was read from; empty for one that was not read."""

    def find(self, clause: str, check_version: str) -> JudgeCalibration | None:
        """Return the calibration of a judge of a clause; None where it has none under this digest."""
        return next(
            (each for each in self.judges if (each.clause, each.check_version) == (clause, check_version)), None
        )

    def problem(self, clause: str, check_version: str) -> str | None:
        """Return why a judge has no calibration here, in words; None where it has one.

        A clause that was calibrated under another digest is stale: prompt, model, parameters or the clause's text have
        changed since.
        """
        if self.find(clause, check_version) is not None:
            return None
        others = [each.check_version for each in self.judges if each.clause == clause]
        if not others:
            return "not calibrated"
        now = check_version[:_SHOWN_DIGEST]
        return f"calibration is stale: made for {others[-1][:_SHOWN_DIGEST]}, the judge is now {now}"


def specificity_problem(calibration: Calibration | None, clause: str, check_version: str, least: float) -> str | None:
    """Return why a judge may not act where its policy asks for ``min_specificity``; None where it may.

    The labels must show the specificity with 95 % confidence: 59 answers without a violation, all cleared, show 95 %.
    """
    if calibration is None:
        return "not calibrated"
    found = calibration.find(clause, check_version)
    if found is None:
        return calibration.problem(clause, check_version)
    if found.errors.shows_specificity(least):
        return None
    cleared, others = found.errors.cleared, found.errors.others
    return (
        f"a specificity of {least:.4g} is not shown: {cleared} of {others} labelled answers without a violation cleared"
    )


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Return the calibration that a file holds.

    Raises:
        ConfigurationError: the file cannot be read, or has another form; every problem is named with its line.
    """
    file = read_text_file(path, what="calibration", max_bytes=_MAX_BYTES, error=ConfigurationError)
    problems = Problems(file.source, ConfigurationError)
    root = read_json(file.source, file.text, error=ConfigurationError, limits=_LIMITS)
    version = root.value.get("v") if isinstance(root.value, dict) else None
    if isinstance(version, int) and version > VERSION:
        remedy = "Upgrade with `pip install -U specspan`."
        raise problems.error(Problem(f"written by a newer version (form {version}; this one knows {VERSION})", remedy))
    entry = validate(_CalibrationEntry, root, problems)
    if entry is None:
        raise problems.error()
    return Calibration(
        entry.time_unix_nano,
        entry.policy.digest,
        entry.labels.source,
        entry.labels.digest,
        tuple(map(_build_judge, entry.judges)),
        file.digest,
    )


def calibration_text(calibration: Calibration) -> str:
    """Return the text of the file."""
    return json.dumps(calibration_json(calibration), indent=2, ensure_ascii=False) + "\n"


def calibration_json(calibration: Calibration) -> dict[str, Any]:
    """Return the calibration as JSON values."""
    return {
        "v": VERSION,
        "type": "calibration",
        "time_unix_nano": calibration.time_unix_nano,
        "policy": {"digest": calibration.policy_digest},
        "labels": {"source": calibration.labels_source, "digest": calibration.labels_digest},
        "judges": [_judge_json(each) for each in calibration.judges],
    }


def _judge_json(judge: JudgeCalibration) -> dict[str, Any]:
    errors = judge.errors
    record: dict[str, Any] = {
        "clause": judge.clause,
        "check": {"name": judge.check_name, "version": judge.check_version},
        "sensitivity": _share_json(errors.found, errors.violations, errors.sensitivity, errors.sensitivity_interval),
        "specificity": _share_json(errors.cleared, errors.others, errors.specificity, errors.specificity_interval),
        "undecided": judge.undecided,
        "failed": judge.failed,
    }
    if judge.chosen is not None:
        chosen = judge.chosen
        record["thresholds"] = {
            "violated_from": chosen.thresholds.violated_from,
            "complied_to": chosen.thresholds.complied_to,
            "agreement": chosen.guarantee.agreement,
            "confidence": chosen.guarantee.confidence,
            "labels": chosen.labels,
        }
    return record


def _share_json(agreed: int, of: int, share: float | None, interval: Interval) -> dict[str, Any]:
    rounded = None if share is None else round(share, 6)
    return {
        "share": rounded,
        "low": round(interval.low, 6),
        "high": round(interval.high, 6),
        "agreed": agreed,
        "of": of,
    }


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class _DigestEntry(_Entry):
    digest: str


class _LabelsEntry(_DigestEntry):
    source: str


class _CheckEntry(_Entry):
    name: str
    version: str


class _ShareEntry(_Entry):
    agreed: Count
    of: Count


class _ThresholdsEntry(_Entry):
    violated_from: Share | None
    complied_to: Share | None
    agreement: Annotated[float, Field(gt=0, lt=1)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    labels: Count


class _JudgeEntry(_Entry):
    clause: str
    check: _CheckEntry
    sensitivity: _ShareEntry
    specificity: _ShareEntry
    undecided: Count = 0
    failed: Count = 0
    thresholds: _ThresholdsEntry | None = None


class _CalibrationEntry(_Entry):
    v: Literal[1]
    type: Literal["calibration"]
    time_unix_nano: Count
    policy: _DigestEntry
    labels: _LabelsEntry
    judges: list[_JudgeEntry]


def _build_judge(entry: _JudgeEntry) -> JudgeCalibration:
    chosen = None
    if (written := entry.thresholds) is not None:
        thresholds = Thresholds(written.violated_from, written.complied_to)
        chosen = ChosenThresholds(thresholds, Guarantee(written.agreement, written.confidence), written.labels)
    violations, others = entry.sensitivity, entry.specificity
    return JudgeCalibration(
        entry.clause,
        entry.check.name,
        entry.check.version,
        ErrorRates(violations.of, min(violations.agreed, violations.of), others.of, min(others.agreed, others.of)),
        entry.undecided,
        entry.failed,
        chosen,
    )
