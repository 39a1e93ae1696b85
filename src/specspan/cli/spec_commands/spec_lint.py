"""`specspan spec lint`: errors in a spec, and what its author may not have meant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.options import import_modules, import_option
from specspan.cli.terminal import console, plural, print_json, printable
from specspan.policy.coverage import measure_coverage
from specspan.policy.load import load_policy
from specspan.spec.lint import LintFinding, LintGrade, lint_file
from specspan.spec.spec import Spec

_GRADE_STYLES = {
    LintGrade.ERROR: ("✘ error", "bold red"),
    LintGrade.WARNING: ("! warning", "yellow"),
    LintGrade.NOTE: ("· note", "dim"),
}


@click.command("lint")
@click.argument("file")
@click.option("--policy", type=click.Path(path_type=Path), help="Name the clauses that it leaves unchecked, too.")
@click.option("--strict", is_flag=True, help="Let warnings fail as errors do.")
@import_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: str, policy: Path | None, strict: bool, modules: tuple[str, ...], as_json: bool) -> None:
    """Look at the spec in FILE for what is broken and for what nobody may have meant.

    The exit code is 1 when there are errors (with --strict also warnings), and 2 when FILE is no spec at all.
    """
    linted = lint_file(file)
    findings = list(linted.findings)
    if policy is not None and linted.spec is not None:
        with import_modules(modules):
            findings = sorted([*findings, *_unchecked_clauses(linted.spec, policy)], key=lambda lint: lint.line or 0)
    if as_json:
        print_json(
            {"source": linted.source, "counts": _counts(findings), "findings": [asdict(lint) for lint in findings]}
        )
    else:
        _print_findings(linted.source, findings)
    failing = (LintGrade.ERROR, LintGrade.WARNING) if strict else (LintGrade.ERROR,)
    if any(lint.grade in failing for lint in findings):
        raise click.exceptions.Exit(1)


def _unchecked_clauses(spec: Spec, policy: Path) -> Iterator[LintFinding]:
    """Yield the clauses that a policy leaves unchecked, as warnings where nobody can override them."""
    loaded = load_policy(policy, spec=spec)
    for covered in measure_coverage(loaded).unassessed:
        clause = covered.clause
        if loaded.authority.address(clause.id)[0] != spec.id:
            continue
        grade = LintGrade.WARNING if clause.authority in loaded.authority.tops else LintGrade.NOTE
        message = f"{clause.id!r} ({clause.authority}) has no check in {policy}, so it is unassessed on every call"
        remedy = "Bind a check to it, or leave it to people."
        yield LintFinding(grade, "unchecked", message, remedy, clause.line, clause.id)


def _counts(findings: Sequence[LintFinding]) -> dict[str, int]:
    counts = Counter(lint.grade for lint in findings)
    return {grade.value: counts[grade] for grade in LintGrade}


def _print_findings(source: str, findings: Sequence[LintFinding]) -> None:
    """Print a line for each finding, and how many there are."""
    out = console()
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for lint in findings:
        grade, style = _GRADE_STYLES[lint.grade]
        where = "" if lint.line is None else str(lint.line)
        text = Text.assemble(
            f"{printable(lint.message)}. ", (printable(lint.remedy), "dim"), (f"  {lint.rule}", "cyan")
        )
        table.add_row(where, Text(grade, style), text)
    out.print(Text(printable(source), "bold"))
    if findings:
        out.print(table)
    counts = _counts(findings)
    total = " · ".join(plural(count, grade) for grade, count in counts.items())
    out.print(Text(total if findings else "Nothing to say.", "bold" if findings else "bold green"))
