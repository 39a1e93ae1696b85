"""Judges of a policy under its calibration: thresholds that it chose, and judges that may not act."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import replace

from specspan.calibration.calibration_file import Calibration, specificity_problem
from specspan.checks.judging.judge_answer import ABSTAINING, Thresholds
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.decision import Mode
from specspan.policy.policy import CheckBinding, ClausePolicy

_log = logging.getLogger("specspan")


def calibrate_clauses(clauses: Mapping[str, ClausePolicy], calibration: Calibration | None) -> dict[str, ClausePolicy]:
    """Return clauses whose judges decide by the thresholds that a calibration chose for them.

    A judge of which an agreement is asked decides nothing until a calibration shows it. A clause is only observed where
    one of its judges has not shown the specificity that is asked of it, and it has no other check.
    """
    return {name: _calibrate(name, bound, calibration) for name, bound in clauses.items()}


def idle_problems(clauses: Mapping[str, ClausePolicy], calibration: Calibration | None) -> dict[str, str]:
    """Return, by clause, why a judge may not act although another check of the clause may, in words."""
    return {
        name: problem
        for name, bound in clauses.items()
        if bound.mode is Mode.ENFORCE
        and not _has_judges_alone(bound)
        and (problem := _specificity_problem(name, bound, calibration)) is not None
    }


def _calibrate(name: str, bound: ClausePolicy, calibration: Calibration | None) -> ClausePolicy:
    calibrated = replace(bound, checks=tuple(_with_thresholds(name, each, calibration) for each in bound.checks))
    problem = _specificity_problem(name, bound, calibration)
    if problem is None or bound.mode is Mode.OBSERVE or not _has_judges_alone(bound):
        return calibrated
    _log.warning("clause %r is only observed, as its judge may not act: %s", name, problem)
    return replace(calibrated, mode=Mode.OBSERVE)


def _with_thresholds(name: str, binding: CheckBinding, calibration: Calibration | None) -> CheckBinding:
    check = binding.check
    if not isinstance(check, JudgeCheck) or check.demands.guarantee is None:
        return binding
    found = None if calibration is None else calibration.find(name, check.ref.version)
    chosen = None if found is None else found.chosen
    if chosen is None:
        _log.warning("the judge of clause %r decides nothing: no calibration shows the agreement asked of it", name)
        return replace(binding, check=replace(check, thresholds=ABSTAINING))
    violated, complied = chosen.thresholds.violated_from, chosen.thresholds.complied_to
    thresholds = Thresholds(math.inf if violated is None else violated, -math.inf if complied is None else complied)
    return replace(binding, check=replace(check, thresholds=thresholds))


def _specificity_problem(name: str, bound: ClausePolicy, calibration: Calibration | None) -> str | None:
    for binding in bound.checks:
        check = binding.check
        if isinstance(check, JudgeCheck) and (least := check.demands.min_specificity) is not None:
            problem = specificity_problem(calibration, name, check.ref.version, least)
            if problem is not None:
                return problem
    return None


def _has_judges_alone(bound: ClausePolicy) -> bool:
    return all(isinstance(binding.check, JudgeCheck) for binding in bound.checks)
