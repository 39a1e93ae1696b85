"""`specspan policy coverage`: clauses that a policy has checked, by kind and stage of check, and those it has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from specspan.cli.coverage_view import coverage_by_level, coverage_counts, coverage_line, one_or_all
from specspan.cli.list_table import Column, ListTable
from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.terminal import clean, console, level_style, list_width, mark, plural, print_json, printable
from specspan.policy.coverage import ClauseCoverage, Coverage, measure_coverage
from specspan.policy.load import load_policy


@click.command("coverage")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@environment_option
@import_option
def command(file: Path, as_json: bool, environment: str | None, modules: tuple[str, ...]) -> None:
    """Show which clauses of its spec the policy in FILE has checked, by what kind of check and at which stage.

    A clause that nothing checks is unassessed on every call; it is never counted as complied.
    """
    with import_modules(modules):
        covered = measure_coverage(load_policy(file, environment=environment))
    if as_json:
        print_json(coverage_json(covered))
    else:
        print_coverage(console(), covered)


def coverage_json(covered: Coverage) -> dict[str, Any]:
    """Return every binding clause with its checks, for a program."""
    policy = covered.policy
    return {
        "policy": {"source": policy.source, "digest": policy.digest},
        "spec": one_or_all([{"id": spec.id, "version": spec.version, "digest": spec.digest} for spec in policy.specs]),
        "counts": coverage_counts(covered),
        "clauses": [_clause_json(clause) for clause in covered.clauses],
    }


def _clause_json(clause: ClauseCoverage) -> dict[str, Any]:
    return {
        "id": clause.clause.id,
        "title": clause.clause.title,
        "authority": clause.clause.authority,
        "named": clause.named,
        "checked": clause.checked,
        "checks": [{"kind": kind, "stage": stage, "count": count} for (kind, stage), count in clause.check_counts],
    }


def print_coverage(out: Console, covered: Coverage) -> None:
    """Print every binding clause with its checks, then the levels from the top."""
    for line in _clauses_table(covered).lines(list_width(out)):
        out.print(line, soft_wrap=True)
    out.line()
    out.print(coverage_by_level(covered))
    if looks := covered.by_kind_and_stage():
        counts = (f"{kind} {stage} {plural(count, 'clause')}" for (kind, stage), count in looks.items())
        out.print(Text(f"by check: {', '.join(counts)}", "dim"))
    out.print(coverage_line(covered))


def _clauses_table(covered: Coverage) -> ListTable:
    """Return the table of clauses. A narrow terminal cuts titles, never ids."""
    table = ListTable(
        Column("clause"),
        Column("authority", gives_way=2),
        Column("checks", is_text=True),
        Column("title", gives_way=1, is_text=True, style="dim"),
    )
    for clause in covered.clauses:
        authority = clause.clause.authority
        style = level_style(covered.policy.authority, authority)
        name = Text(clean(clause.clause.id), "bold" if clause.checked else "")
        table.add_row(name, Text(authority or "", style), _checks_text(clause), printable(clause.clause.title))
    return table


def _checks_text(clause: ClauseCoverage) -> Text:
    """Return each kind and stage of check; without any, the mark of an unassessed clause."""
    if not clause.checked:
        return mark("unassessed")
    looks = (f"{kind} {stage}" + (f" ×{count}" if count > 1 else "") for (kind, stage), count in clause.check_counts)
    return Text(", ".join(looks), "green")
