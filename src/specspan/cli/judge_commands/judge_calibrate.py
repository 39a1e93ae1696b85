"""`specspan judge calibrate`: how often the judges of a policy agree with labels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import click
from rich.progress import Progress
from rich.text import Text

from specspan.calibration.calibration_file import Calibration, JudgeCalibration, calibration_json, calibration_text
from specspan.calibration.labels import Labels, read_labels
from specspan.calibration.rate_estimate import calibration_problem
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.rate_words import percentage
from specspan.cli.terminal import clean, console, plural, print_json
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.policy.spec_problems import clause_problem
from specspan.rates.judge_measurement import MeasuredJudge, measure_judges
from specspan.rates.measured_judges import measured_judges
from specspan.review.review_labels import labels_of_reviews
from specspan.review.review_queue import ReviewQueue
from specspan.spec_examples.example_labels import labels_of_examples


@click.command("calibrate")
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("--labels", type=click.Path(path_type=Path), help="Labelled answers, in the form of docs/calibration.md.")
@click.option("--reviews", metavar="DB", is_flag=False, flag_value="", help="Rulings of reviewers in a store.")
@click.option("--spec-examples", is_flag=True, help="Answers that the spec itself calls GOOD, OK or BAD.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write the calibration to this file.")
@click.option("--clause", metavar="ID", help="Only judges of this clause.")
@click.option("--workers", type=click.IntRange(1, 64), default=8, show_default=True, help="Judges asked at once.")
@environment_option
@import_option
@click.option("--json", "as_json", is_flag=True, help="Print the calibration as JSON.")
def command(
    policy: Path,
    labels: Path | None,
    reviews: str | None,
    spec_examples: bool,
    output: Path | None,
    clause: str | None,
    workers: int,
    environment: str | None,
    modules: tuple[str, ...],
    as_json: bool,
) -> None:
    """Ask the judges of POLICY about labelled answers, and tell how often they agree.

    Each answer is one request to the judge's model. The calibration is for `specspan rates --calibration`.
    """
    if [labels is not None, reviews is not None, spec_examples].count(True) != 1:
        raise click.UsageError("Choose one of --labels, --reviews and --spec-examples.")
    with import_modules(modules):
        loaded = load_policy(policy, environment=environment)
    if reviews is not None:
        found = labels_of_reviews(ReviewQueue(reviews or None), clause)
    else:
        found = labels_of_examples(loaded) if labels is None else read_labels(labels)
    judges = [each for each in measured_judges(judge_checks_of(loaded)) if clause in (None, each.clause)]
    unknown = _unknown_clauses(loaded, found)
    if not judges:
        named = "" if clause is None else f" of {clause!r}"
        raise click.ClickException(f"{policy} has no judge{named}. Give a clause a check of kind 'judge'.")
    calibration = Calibration(
        time.time_ns(), loaded.digest, found.source, found.digest, tuple(_measure(judges, found, workers, as_json))
    )
    if not calibration.judges:
        raise click.ClickException(f"{found.source} has no label of a clause that is judged.")
    if output is not None:
        _write(output, calibration)
    if as_json:
        print_json(calibration_json(calibration))
        return
    _print_table(calibration.judges, judges, unknown)


def _measure(
    judges: Sequence[MeasuredJudge], labels: Labels, workers: int, as_json: bool
) -> Sequence[JudgeCalibration]:
    out = console()
    total = sum(label.clause == judge.clause for judge in judges for label in labels.calls)
    progress = Progress(console=out, transient=True) if out.is_terminal and not as_json else None
    with progress or nullcontext():
        if progress is None:
            return measure_judges(judges, labels.calls, workers=workers)
        task = progress.add_task("Judging", total=total)
        return measure_judges(judges, labels.calls, workers=workers, on_answer=lambda: progress.advance(task))


def _unknown_clauses(policy: Policy, labels: Labels) -> list[str]:
    """Return the clauses that labels name and the policy's specs lack."""
    names = dict.fromkeys(label.clause for label in labels.calls)
    return [name for name in names if clause_problem(policy.authority, name) is not None]


def _write(output: Path, calibration: Calibration) -> None:
    try:
        output.write_text(calibration_text(calibration), encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {output}. Use it: specspan rates --calibration {output}", err=True)


def _print_table(
    found: Sequence[JudgeCalibration], judges: Sequence[MeasuredJudge], unknown_clauses: Sequence[str]
) -> None:
    out = console()
    table = ListTable(
        Column("clause", style="bold"),
        Column("judge", gives_way=3),
        Column("sensitivity", align_right=True),
        Column("95% interval", gives_way=2, align_right=True),
        Column("specificity", align_right=True),
        Column("95% interval", gives_way=2, align_right=True),
        Column("undecided", align_right=True),
        Column("failed", align_right=True),
        Column("", gives_way=1, is_text=True),
    )
    for each in found:
        errors = each.errors
        low, high = errors.sensitivity_interval, errors.specificity_interval
        table.add_row(
            clean(each.clause),
            clean(each.check_name),
            f"{errors.found} of {errors.violations}",
            f"{percentage(low.low)} – {percentage(low.high)}",
            f"{errors.cleared} of {errors.others}",
            f"{percentage(high.low)} – {percentage(high.high)}",
            str(each.undecided),
            str(each.failed),
            Text(_note(each), "dim"),
        )
    print_lines(out, table)
    measured = {each.clause for each in found}
    without = sorted({judge.clause for judge in judges} - measured)
    if without:
        out.print(Text(f"Without a label: {', '.join(map(clean, without))}.", "yellow"), soft_wrap=True)
    if unknown_clauses:
        names = ", ".join(map(clean, unknown_clauses))
        out.print(Text(f"Labelled, and not in the policy's spec: {names}.", "yellow"), soft_wrap=True)


def _note(judge: JudgeCalibration) -> str:
    problem = calibration_problem(judge.errors)
    notes = [] if problem is None else [f"corrects no rate: {problem}"]
    if judge.chosen is not None:
        thresholds = judge.chosen.thresholds
        violated = "none" if thresholds.violated_from is None else f"{thresholds.violated_from:g}"
        complied = "none" if thresholds.complied_to is None else f"{thresholds.complied_to:g}"
        of = plural(judge.chosen.labels, "label")
        notes.insert(0, f"violated from {violated}, complied to {complied}, by {of}")
    return "; ".join(notes)
