"""Check by a model that gives texts scores, behind rules that look first where there are some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.detectors.detector_check import NEEDED_SIDES, TextConfig
from specspan.checks.detectors.text_check import TextCheck
from specspan.checks.detectors.text_classifier import MAX_WINDOWS, Classify, load_classifier, windows
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome

_TIMEOUT_S = 5.0


class ClassifierConfig(BaseModel):
    """Model that gives texts scores."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    source: str
    """Folder with a model in ONNX's format, or a function as ``package.module:function``."""
    labels: list[str] | None = Field(default=None, min_length=1)
    """Labels of which a score counts; by default all but those that stand for nothing amiss."""
    threshold: float = Field(default=0.5, gt=0, le=1)
    """Score from which on a text violates the clause."""
    uncertain: float | None = Field(default=None, gt=0, le=1)
    """Lower score from which on the finding is uncertain."""


_HARMLESS = frozenset(
    ("safe", "benign", "normal", "legit", "neutral", "not_toxic", "non-toxic", "nontoxic", "label_0", "none")
)


@dataclass(frozen=True, slots=True)
class _Scored:
    score: float
    label: str
    text: TextAt


def classifier_check(config: TextConfig, options: ClassifierConfig, kind: str, rules: Check | None = None) -> Check:
    """Return a check that a model decides, and before it ``rules``.

    Raises:
        CheckConfigError: the model is not there, or its thresholds contradict each other.
    """
    if options.uncertain is not None and options.uncertain >= options.threshold:
        raise CheckConfigError(
            f"uncertain {options.uncertain} is not below threshold {options.threshold}", "Lower it.", "model.uncertain"
        )
    classify = load_classifier(options.source)
    traits = CheckTraits(
        config.stage, reads_roles=config.read_roles(), needs=NEEDED_SIDES[config.stage], timeout_s=_TIMEOUT_S
    )
    ref = CheckRef(config.name or kind, CheckMechanism.CLASSIFIER, config.version)

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        found: Any = True if rules is None else rules.decide(call, texts)
        return _classify(classify, options, texts) if found is True else found

    return TextCheck(ref, traits, decide)


def _classify(classify: Classify, options: ClassifierConfig, texts: Sequence[TextAt]) -> CheckResult:
    best: _Scored | None = None
    count = 0
    for text in texts:
        for piece in windows(text.text):
            count += 1
            if count > MAX_WINDOWS:
                break
            label, score = _highest(classify(piece), options)
            if best is None or score > best.score:
                best = _Scored(score, label, text)
    if best is None:
        return None
    if best.score >= options.threshold:
        places: tuple[Evidence, ...] = best.text.evidence(0, len(best.text.text)) if best.text.text else ()
        return Finding(Outcome.VIOLATED, "classified", best.score, best.label, places)
    if count > MAX_WINDOWS:
        return Finding(Outcome.UNCERTAIN, "too_long", best.score)
    if options.uncertain is not None and best.score >= options.uncertain:
        return Finding(Outcome.UNCERTAIN, "score_uncertain", best.score, best.label)
    return Finding(Outcome.COMPLIED, score=best.score)


def _highest(scores: Any, options: ClassifierConfig) -> tuple[str, float]:
    """Return the label with the highest score that counts."""
    counted = {
        label: float(score)
        for label, score in scores.items()
        if (label in options.labels if options.labels is not None else label.lower() not in _HARMLESS)
    }
    if not counted:
        raise ValueError(f"the model has none of the labels: its own are {', '.join(sorted(scores))}")
    label = max(counted, key=lambda each: counted[each])
    return label, counted[label]
