"""Shares of a spec's answers that judges call violations: as they say, corrected, and as the spec itself says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from specspan.calibration.calibration_file import Calibration
from specspan.calibration.rate_estimate import RateEstimate, estimate_rate
from specspan.calibration.sample_counts import SampleCounts
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.rate_words import percentage
from specspan.cli.terminal import clean
from specspan.spec_examples.results import Agreement, JudgedAnswers, count_judged

_SAME_LABELS = "calibrated by these answers"


@dataclass(frozen=True, slots=True)
class JudgedRate:
    """Share of the answers about one clause that its judge calls violations."""

    clause: str
    answers: JudgedAnswers
    bad: int
    """Answers about the clause that the spec calls BAD, of those that its checks decided."""
    decided: int
    estimate: RateEstimate

    def as_json(self) -> dict[str, Any]:
        """Return the share as JSON values, beside its denominator."""
        estimate, interval = self.estimate, self.estimate.interval
        corrected = None
        if interval is not None:
            corrected = {"share": estimate.corrected, "low": interval.low, "high": interval.high}
        return {
            "clause": self.clause,
            "judge": {"name": self.answers.judge.name, "version": self.answers.judge.version},
            "raw": {"violated": self.answers.violated, "of": self.answers.decided},
            "corrected": corrected,
            "problem": estimate.problem,
            "bad": {"violated": self.bad, "of": self.decided},
        }


def judged_rates(found: Agreement, calibration: Calibration | None) -> list[JudgedRate]:
    """Return the share of each clause that a judge reads, in the order of the spec."""
    tallies = found.by_clause()
    digest = found.spec.digest
    judged = count_judged(found.results)
    return [
        JudgedRate(
            clause,
            judged[clause],
            counts.bad,
            counts.decided,
            _estimate(clause, judged[clause], calibration, digest),
        )
        for clause, counts in tallies.items()
        if clause in judged
    ]


def print_judged(out: Console, rates: Sequence[JudgedRate]) -> None:
    """Print a row for each clause that a judge reads; nothing where there is none."""
    if not rates:
        return
    table = ListTable(
        Column("clause", style="bold"),
        Column("judge", gives_way=2),
        Column("BAD", align_right=True),
        Column("raw", align_right=True),
        Column("corrected", align_right=True),
        Column("95% interval", align_right=True),
        Column("", gives_way=1, is_text=True),
    )
    for rate in rates:
        estimate, interval, answers = rate.estimate, rate.estimate.interval, rate.answers
        has_rate = estimate.corrected is not None and interval is not None
        table.add_row(
            clean(rate.clause),
            clean(answers.judge.name),
            f"{rate.bad} of {rate.decided}",
            f"{answers.violated} of {answers.decided}",
            percentage(estimate.corrected or 0.0) if has_rate else Text("not estimable", "yellow"),
            "" if interval is None else f"{percentage(interval.low)} – {percentage(interval.high)}",
            Text(clean(estimate.problem), "dim"),
        )
    out.line()
    print_lines(out, table)


def _estimate(clause: str, answers: JudgedAnswers, calibration: Calibration | None, digest: str) -> RateEstimate:
    sample = SampleCounts.unweighted(answers.violated, answers.decided)
    if calibration is None:
        return RateEstimate(sample.share, problem="not calibrated")
    if calibration.labels_digest == digest:
        return RateEstimate(sample.share, problem=_SAME_LABELS)
    version = answers.judge.version
    of_judge = calibration.find(clause, version)
    if of_judge is None:
        return RateEstimate(sample.share, problem=calibration.problem(clause, version))
    return estimate_rate(sample, of_judge.errors)
