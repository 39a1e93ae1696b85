"""`specspan spec examples`: agreement of a policy's checks with the examples of a spec."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from specspan.calibration.calibration_file import read_calibration
from specspan.cli.judged_examples import judged_rates, print_judged
from specspan.cli.options import find_clause, import_modules, import_option
from specspan.cli.terminal import clean, console, mark, plain_table, plural, print_json
from specspan.decision import Finding
from specspan.spec.read import find_spec, load_spec
from specspan.spec_examples.calls import answer_text, excerpt
from specspan.spec_examples.evaluate import evaluate, load_policy_for
from specspan.spec_examples.results import Agreement, ExampleResult, Match, MatchCounts

_COLUMNS = ("answers", "agree", "missed", "false alarms", "undecided", "elsewhere")
_EXCERPT_CHARS = 160
_STYLES = {Match.MISSED: "yellow", Match.FALSE_ALARM: "bold red", Match.UNDECIDED: "magenta"}


@click.command("examples")
@click.argument("file")
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="Whose checks to run.")
@click.option("--clause", metavar="ID", help="Only answers that are about this clause.")
@click.option("--failures", is_flag=True, help="Show every answer that was missed or a false alarm.")
@click.option(
    "--calibration", type=click.Path(path_type=Path, dir_okay=False), help="Correct the shares that judges find by it."
)
@import_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/examples.md.")
def command(
    file: str,
    policy: Path,
    clause: str | None,
    failures: bool,
    calibration: Path | None,
    modules: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run the answers that the spec in FILE calls GOOD, OK or BAD through a policy's checks.

    FILE is a path, or an edition of the catalogue such as openai-model-spec@2025-12-18 that is on this machine. The
    policy may be written for another version of it: what has the same id is checked.
    """
    spec = load_spec(find_spec(file, Path()))
    only = None if clause is None else find_clause(spec, clause).id
    with import_modules(modules):
        bound, unbound = load_policy_for(policy, spec)
        agreement = evaluate(spec, bound, clause=only, unbound=unbound)
    judged = judged_rates(agreement, None if calibration is None else read_calibration(calibration))
    if as_json:
        print_json(agreement_json(agreement, failures_only=failures) | {"judges": [each.as_json() for each in judged]})
        return
    out = console()
    print_agreement(out, agreement)
    print_judged(out, judged)
    if failures:
        print_failures(out, agreement)


def agreement_json(found: Agreement, *, failures_only: bool = False) -> dict[str, Any]:
    """Return the counts and every answer, or only those on which checks and spec disagree."""
    spec, policy = found.spec, found.policy
    return {
        "v": 1,
        "type": "agreement",
        "spec": {"id": spec.id, "version": spec.version, "digest": spec.digest, "source": spec.source},
        "policy": {"source": policy.source, "digest": policy.digest},
        "unbound": found.unbound,
        "counts": {"comparisons": found.comparisons, **_counts(found.total)},
        "clauses": [{"id": id_, **_counts(tally)} for id_, tally in found.by_clause().items()],
        "answers": [_answer_json(each) for each in found.results if each.match.fails or not failures_only],
    }


def _counts(tally: MatchCounts) -> dict[str, Any]:
    return {
        "answers": tally.answers,
        "assessed": tally.assessed,
        "agreed": tally.agreed,
        **{match.value: tally[match] for match in Match},
        "elsewhere": tally.elsewhere,
        "precision": tally.precision,
        "recall": tally.recall,
    }


def _answer_json(result: ExampleResult) -> dict[str, Any]:
    return {
        "clause": result.clause,
        "example": {"clause": result.holder.id, "title": result.example.title, "line": result.example.line},
        "label": result.verdict.label,
        "reason": result.verdict.reason,
        "condition": result.verdict.condition,
        "outcome": result.outcome.value,
        "match": result.match.value,
        "findings": [_finding_json(at, finding) for at, finding in result.findings],
        "elsewhere": result.elsewhere,
    }


def _finding_json(at: int, finding: Finding) -> dict[str, Any]:
    return {
        "call": at,
        "check": finding.check.name if finding.check else None,
        "kind": finding.check.mechanism.value if finding.check else None,
        "outcome": finding.outcome.value,
        "reason": finding.reason,
        "explanation": finding.explanation,
        "evidence": [{"pointer": e.pointer, "start": e.start, "end": e.end} for e in finding.evidence],
    }


def print_agreement(out: Console, found: Agreement) -> None:
    """Print the clauses that a check looked at, a row each; then those that none did, and the total."""
    if not found.results:
        out.print(Text(f"{clean(found.spec.source)}: no answer with a verdict to compare."))
        return
    tallies = found.by_clause()
    rows = {id_: tally for id_, tally in tallies.items() if tally.assessed or tally.elsewhere}
    if rows:
        out.print(_clauses_table(rows))
        out.line()
    unassessed = {id_: tally for id_, tally in tallies.items() if tally[Match.UNASSESSED]}
    if unassessed:
        out.print(_unassessed_line(unassessed))
    if found.unbound:
        names = ", ".join(map(clean, found.unbound))
        out.print(Text(f"Bound by the policy and not in this spec: {names}.", "yellow"))
    for line in _total_lines(found):
        out.print(line)


def _clauses_table(rows: dict[str, MatchCounts]) -> Table:
    table = plain_table("clause", *_COLUMNS, right=_COLUMNS)
    for id_, tally in rows.items():
        table.add_row(
            Text(clean(id_), "bold" if tally.assessed else ""),
            _number_text(tally.assessed, ""),
            _number_text(tally.agreed, "green"),
            *(_number_text(tally[match], style) for match, style in _STYLES.items()),
            _number_text(tally.elsewhere, "yellow"),
        )
    return table


def _number_text(count: int, style: str) -> Text:
    return Text(str(count), style if count else "dim")


def _unassessed_line(tallies: dict[str, MatchCounts]) -> Text:
    """Return the answers that no check assessed, by clause: they count neither for nor against agreement."""
    answers = sum(tally[Match.UNASSESSED] for tally in tallies.values())
    by_clause = (f"{clean(id_)} {tally[Match.UNASSESSED]}" for id_, tally in tallies.items())
    return mark("unassessed").append(f" ({plural(answers, 'answer')}) ", "").append(", ".join(by_clause), "dim")


def _total_lines(found: Agreement) -> Iterable[Text]:
    total = found.total
    counts = ", ".join((plural(found.comparisons, "comparison"), plural(total.answers, "answer")))
    yield Text(f"{counts}; {total.assessed} assessed.", "bold")
    if not total.assessed:
        return
    bad = total[Match.CAUGHT] + total[Match.MISSED]
    good = total[Match.CLEAR] + total[Match.FALSE_ALARM]
    yield Text(
        f"Agreement: {total.agreed} of {total.assessed}. "
        f"BAD: {total[Match.CAUGHT]} of {bad} caught{_percentage(total.recall)}. "
        f"GOOD and OK: {plural(total[Match.FALSE_ALARM], 'false alarm')} in {good}.",
        "bold",
    )
    yield Text(
        f"Precision of violations: {total[Match.CAUGHT]} of {total[Match.CAUGHT] + total[Match.FALSE_ALARM]}"
        f"{_percentage(total.precision)}. Good answers on which other clauses were violated: {total.elsewhere}."
    )


def _percentage(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def print_failures(out: Console, found: Agreement) -> None:
    """Print every answer that was missed or a false alarm: its place, the verdict of the spec, the findings."""
    for result in found.results:
        if result.match.fails:
            out.line()
            out.print(_place_line(found, result))
            out.print(Padding(_reasons_text(result), (0, 0, 0, 2)))


def _place_line(found: Agreement, result: ExampleResult) -> Text:
    line = Text.assemble((clean(result.match.value.replace("_", " ")), _STYLES[result.match]), "  ")
    line.append(clean(result.clause), "bold").append(f"  {clean(found.spec.source)}:{result.example.line}", "dim")
    return line.append(f"  {clean(result.example.title)}", "dim")


def _reasons_text(result: ExampleResult) -> Text:
    """Return the verdict with its reason, then the evidence of each check or, where there is none, the answer."""
    verdict = result.verdict
    condition = f", {verdict.condition}" if verdict.condition else ""
    text = Text(clean(f"{verdict.label}{condition}{': ' if verdict.reason else ''}{verdict.reason or ''}"))
    for at, finding in result.findings:
        name = finding.check.name if finding.check else ""
        what = finding.reason or finding.outcome.value.replace("_", " ")
        text.append(f"\n{clean(name)}: {clean(what)}", "italic")
        if shown := excerpt(result.calls[at], finding, _EXCERPT_CHARS):
            text.append(f" “{clean(shown)}”", "cyan")
    if result.match is Match.MISSED:
        text.append(f"\n“{clean(answer_text(result.calls, _EXCERPT_CHARS))}”", "cyan")
    return text
