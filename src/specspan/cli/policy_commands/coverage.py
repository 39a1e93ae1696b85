"""`specspan policy coverage`: which clauses are checked, by what and when, and which never are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specspan.cli.options import imported, in_environment, own_checks
from specspan.cli.spec_commands.show import level_style
from specspan.cli.terminal import clean, console, mark, print_json, printable
from specspan.policy.coverage import ClauseCoverage, Coverage, coverage
from specspan.policy.load import load_policy

# MERGED coverage_view: How a policy covers its spec: as a table for a person, as JSON for a program.


_BAR_CELLS = 20


def coverage_json(covered: Coverage) -> dict[str, Any]:
    """Every binding clause, and what looks at it."""
    policy = covered.policy
    return {
        "policy": {"source": policy.source, "digest": policy.digest},
        "spec": one_or_all([{"id": spec.id, "version": spec.version, "digest": spec.digest} for spec in policy.specs]),
        "counts": counts(covered),
        "clauses": [_clause_json(clause) for clause in covered.clauses],
    }


def one_or_all(specs: list[dict[str, Any]]) -> Any:
    """The one spec of a policy; of several, a list."""
    return specs[0] if len(specs) == 1 else specs


def counts(covered: Coverage) -> dict[str, Any]:
    """How many clauses are looked at: in all, by level, by kind and stage of check."""
    return {
        "binding": len(covered.clauses),
        "named": sum(clause.named for clause in covered.clauses),
        "checked": len(covered.checked),
        "unassessed": len(covered.unassessed),
        "by_level": {
            level: {"binding": total, "checked": checked} for level, (checked, total) in covered.by_level().items()
        },
        "by_check": [
            {"kind": kind, "stage": stage, "clauses": count} for (kind, stage), count in covered.by_look().items()
        ],
    }


def _clause_json(clause: ClauseCoverage) -> dict[str, Any]:
    return {
        "id": clause.clause.id,
        "title": clause.clause.title,
        "authority": clause.clause.authority,
        "named": clause.named,
        "checked": clause.checked,
        "checks": [{"kind": kind, "stage": stage, "count": count} for (kind, stage), count in clause.looks],
    }


def coverage_line(covered: Coverage) -> Text:
    """How many clauses are checked, and how many never are."""
    binding, checked = len(covered.clauses), len(covered.checked)
    text = Text(f"Checked: {checked} of {binding} clauses.", "bold")
    if checked < binding:
        text.append(f" Unassessed on every call: {binding - checked}.", "not bold yellow")
    return text


def print_coverage(out: Console, covered: Coverage) -> None:
    """Print every binding clause with what looks at it, then the levels from the top."""
    out.print(_clauses(covered))
    out.line()
    out.print(levels(covered))
    if looks := covered.by_look():
        told = (f"{kind} {stage} {_counted(count)}" for (kind, stage), count in looks.items())
        out.print(Text(f"by check: {', '.join(told)}", "dim"))
    out.print(coverage_line(covered))


def levels(covered: Coverage) -> Table:
    """For each level, how much of it is checked."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for level, (checked, total) in covered.by_level().items():
        if total:
            cells = min(-(-checked * _BAR_CELLS // total), _BAR_CELLS - (checked < total))  # one shows, one missing too
            bar = Text.assemble(("█" * cells, "green"), ("░" * (_BAR_CELLS - cells), "dim"))
            table.add_row(Text(level, level_style(covered.policy.authority, level)), bar, f"{checked} of {total}")
    return table


def _counted(count: int) -> str:
    return f"{count} clause{'s' if count > 1 else ''}"


def _clauses(covered: Coverage) -> Table:
    """Ids stay whole in a narrow terminal; titles give way."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("clause", no_wrap=True)
    table.add_column("authority", no_wrap=True)
    table.add_column("checks", no_wrap=True)
    table.add_column("title", no_wrap=True, overflow="ellipsis", style="dim")
    for clause in covered.clauses:
        authority = clause.clause.authority
        style = level_style(covered.policy.authority, authority)
        name = Text(clean(clause.clause.id), "bold" if clause.checked else "")
        table.add_row(name, Text(authority or "", style), _looks(clause), printable(clause.clause.title))
    return table


def _looks(clause: ClauseCoverage) -> Text:
    """Each kind and stage; nothing looks: unassessed, in the sign and colour of that outcome."""
    if not clause.checked:
        return mark("unassessed")
    looks = (f"{kind} {stage}" + (f" ×{count}" if count > 1 else "") for (kind, stage), count in clause.looks)
    return Text(", ".join(looks), "green")


@click.command("coverage")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@in_environment
@own_checks
def command(file: Path, as_json: bool, environment: str | None, modules: tuple[str, ...]) -> None:
    """Show which clauses of its spec the policy in FILE has checked, by what kind of check and at which stage.

    A clause that nothing checks is unassessed on every call; it is never counted as complied.
    """
    with imported(modules):
        covered = coverage(load_policy(file, environment=environment))
    if as_json:
        print_json(coverage_json(covered))
    else:
        print_coverage(console(), covered)
