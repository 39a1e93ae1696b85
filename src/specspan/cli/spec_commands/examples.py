"""`specspan spec examples`: how far a policy's checks agree with the spec's own examples."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from specspan.cli.options import imported, named_clause, own_checks
from specspan.cli.terminal import clean, console, mark, print_json
from specspan.decision import Finding
from specspan.spec.read import find_spec, load_spec
from specspan.spec_examples.calls import answer_text, excerpt, load_onto
from specspan.spec_examples.evaluate import hear
from specspan.spec_examples.results import Agreement, Hearing, Match, Tally

# MERGED agreement_view: How checks and a spec's examples agree: as a table for a person, as JSON for a program.


_COLUMNS = ("answers", "agree", "missed", "false alarms", "undecided", "elsewhere")
_EXCERPT_CHARS = 160
_STYLES = {Match.MISSED: "yellow", Match.FALSE_ALARM: "bold red", Match.UNDECIDED: "magenta"}


def agreement_json(found: Agreement, *, failures_only: bool = False) -> dict[str, Any]:
    """The counts, and every answer or those only on which checks and spec say the opposite."""
    spec, policy = found.spec, found.policy
    return {
        "v": 1,
        "type": "agreement",
        "spec": {"id": spec.id, "version": spec.version, "digest": spec.digest, "source": spec.source},
        "policy": {"source": policy.source, "digest": policy.digest},
        "unbound": found.unbound,
        "counts": {"comparisons": found.comparisons, **_counts(found.total)},
        "clauses": [{"id": id_, **_counts(tally)} for id_, tally in found.by_clause().items()],
        "answers": [_answer_json(each) for each in found.hearings if each.match.fails or not failures_only],
    }


def _counts(tally: Tally) -> dict[str, Any]:
    return {
        "answers": tally.answers,
        "assessed": tally.assessed,
        "agreed": tally.agreed,
        **{match.value: tally[match] for match in Match},
        "elsewhere": tally.elsewhere,
        "precision": tally.precision,
        "recall": tally.recall,
    }


def _answer_json(hearing: Hearing) -> dict[str, Any]:
    return {
        "clause": hearing.clause,
        "example": {"clause": hearing.holder.id, "title": hearing.example.title, "line": hearing.example.line},
        "label": hearing.verdict.label,
        "reason": hearing.verdict.reason,
        "condition": hearing.verdict.condition,
        "outcome": hearing.outcome.value,
        "match": hearing.match.value,
        "findings": [_finding_json(at, finding) for at, finding in hearing.findings],
        "elsewhere": hearing.elsewhere,
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
    if not found.hearings:
        out.print(Text(f"{clean(found.spec.source)}: no answer with a verdict to compare."))
        return
    tallies = found.by_clause()
    rows = {id_: tally for id_, tally in tallies.items() if tally.assessed or tally.elsewhere}
    if rows:
        out.print(_table(rows))
        out.line()
    unassessed = {id_: tally for id_, tally in tallies.items() if tally[Match.UNASSESSED]}
    if unassessed:
        out.print(_unassessed(unassessed))
    if found.unbound:
        names = ", ".join(map(clean, found.unbound))
        out.print(Text(f"Bound by the policy and not in this spec: {names}.", "yellow"))
    for line in _total(found):
        out.print(line)


def _table(rows: dict[str, Tally]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("clause", no_wrap=True)
    for column in _COLUMNS:
        table.add_column(column, no_wrap=True, justify="right")
    for id_, tally in rows.items():
        table.add_row(
            Text(clean(id_), "bold" if tally.assessed else ""),
            _number(tally.assessed, ""),
            _number(tally.agreed, "green"),
            *(_number(tally[match], style) for match, style in _STYLES.items()),
            _number(tally.elsewhere, "yellow"),
        )
    return table


def _number(count: int, style: str) -> Text:
    return Text(str(count), style if count else "dim")


def _unassessed(tallies: dict[str, Tally]) -> Text:
    """What no check looked at, apart: neither agreement nor the opposite."""
    answers = sum(tally[Match.UNASSESSED] for tally in tallies.values())
    told = (f"{clean(id_)} {tally[Match.UNASSESSED]}" for id_, tally in tallies.items())
    return mark("unassessed").append(f" ({_counted(answers, 'answer')}) ", "").append(", ".join(told), "dim")


def _total(found: Agreement) -> Iterable[Text]:
    total = found.total
    told = ", ".join((_counted(found.comparisons, "comparison"), _counted(total.answers, "answer")))
    yield Text(f"{told}; {total.assessed} assessed.", "bold")
    if not total.assessed:
        return
    bad = total[Match.CAUGHT] + total[Match.MISSED]
    good = total[Match.CLEAR] + total[Match.FALSE_ALARM]
    yield Text(
        f"Agreement: {total.agreed} of {total.assessed}. "
        f"BAD: {total[Match.CAUGHT]} of {bad} caught{_share(total.recall)}. "
        f"GOOD and OK: {_counted(total[Match.FALSE_ALARM], 'false alarm')} in {good}.",
        "bold",
    )
    yield Text(
        f"Precision of violations: {total[Match.CAUGHT]} of {total[Match.CAUGHT] + total[Match.FALSE_ALARM]}"
        f"{_share(total.precision)}. Good answers on which other clauses were violated: {total.elsewhere}."
    )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _share(share: float | None) -> str:
    return "" if share is None else f" ({share:.0%})"


def print_failures(out: Console, found: Agreement) -> None:
    """Print every answer that was missed or a false alarm: where it stands, what the spec says, what was found."""
    for hearing in found.hearings:
        if hearing.match.fails:
            out.line()
            out.print(_where(found, hearing))
            out.print(Padding(_ground(hearing), (0, 0, 0, 2)))


def _where(found: Agreement, hearing: Hearing) -> Text:
    said = Text.assemble((clean(hearing.match.value.replace("_", " ")), _STYLES[hearing.match]), "  ")
    said.append(clean(hearing.clause), "bold").append(f"  {clean(found.spec.source)}:{hearing.example.line}", "dim")
    return said.append(f"  {clean(hearing.example.title)}", "dim")


def _ground(hearing: Hearing) -> Text:
    """The verdict with its reason, then what each check points at or, where none found anything, the answer."""
    verdict = hearing.verdict
    condition = f", {verdict.condition}" if verdict.condition else ""
    said = Text(clean(f"{verdict.label}{condition}{': ' if verdict.reason else ''}{verdict.reason or ''}"))
    for at, finding in hearing.findings:
        name = finding.check.name if finding.check else ""
        what = finding.reason or finding.outcome.value.replace("_", " ")
        said.append(f"\n{clean(name)}: {clean(what)}", "italic")
        if shown := excerpt(hearing.calls[at], finding, _EXCERPT_CHARS):
            said.append(f" “{clean(shown)}”", "cyan")
    if hearing.match is Match.MISSED:
        said.append(f"\n“{clean(answer_text(hearing.calls, _EXCERPT_CHARS))}”", "cyan")
    return said


@click.command("examples")
@click.argument("file")
@click.option("--policy", type=click.Path(path_type=Path), required=True, help="Whose checks to run.")
@click.option("--clause", metavar="ID", help="Only answers that are about this clause.")
@click.option("--failures", is_flag=True, help="Show every answer that was missed or a false alarm.")
@own_checks
@click.option("--json", "as_json", is_flag=True, help="Print JSON in the form of docs/examples.md.")
def command(
    file: str, policy: Path, clause: str | None, failures: bool, modules: tuple[str, ...], as_json: bool
) -> None:
    """Run the answers that the spec in FILE calls GOOD, OK or BAD through a policy's checks.

    FILE is a path, or an edition of the catalogue such as openai-model-spec@2025-12-18 that is on this machine. The
    policy may be written for another version of it: what has the same id is checked.
    """
    spec = load_spec(find_spec(file, Path()))
    only = None if clause is None else named_clause(spec, clause).id
    with imported(modules):
        bound, unbound = load_onto(policy, spec)
        agreement = hear(spec, bound, clause=only, unbound=unbound)
    if as_json:
        print_json(agreement_json(agreement, failures_only=failures))
        return
    out = console()
    print_agreement(out, agreement)
    if failures:
        print_failures(out, agreement)
