"""Summary of how a policy covers its specs, which `policy coverage` and `policy check` show."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from specspan.cli.terminal import level_style
from specspan.policy.coverage import Coverage

_BAR_CELLS = 20


def coverage_counts(covered: Coverage) -> dict[str, Any]:
    """Return the number of clauses that are checked: in all, by level, by kind and stage of check."""
    return {
        "binding": len(covered.clauses),
        "named": sum(clause.named for clause in covered.clauses),
        "checked": len(covered.checked),
        "unassessed": len(covered.unassessed),
        "by_level": {
            level: {"binding": total, "checked": checked} for level, (checked, total) in covered.by_level().items()
        },
        "by_check": [
            {"kind": kind, "stage": stage, "clauses": count}
            for (kind, stage), count in covered.by_kind_and_stage().items()
        ],
    }


def one_or_all(specs: list[dict[str, Any]]) -> Any:
    """Return the spec of a policy or, where it has several, the list of them."""
    return specs[0] if len(specs) == 1 else specs


def coverage_line(covered: Coverage) -> Text:
    """Return a line that says how many clauses are checked, and how many are not."""
    binding, checked = len(covered.clauses), len(covered.checked)
    text = Text(f"Checked: {checked} of {binding} clauses.", "bold")
    if checked < binding:
        text.append(f" Unassessed on every call: {binding - checked}.", "not bold yellow")
    return text


def coverage_by_level(covered: Coverage) -> Table:
    """Return a table of levels from the top, with a bar for the share of clauses that is checked."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for level, (checked, total) in covered.by_level().items():
        if total:
            # At least one cell is full where any clause is checked, and one is empty where any is not.
            cells = min(-(-checked * _BAR_CELLS // total), _BAR_CELLS - (checked < total))
            bar = Text.assemble(("█" * cells, "green"), ("░" * (_BAR_CELLS - cells), "dim"))
            table.add_row(Text(level, level_style(covered.policy.authority, level)), bar, f"{checked} of {total}")
    return table
