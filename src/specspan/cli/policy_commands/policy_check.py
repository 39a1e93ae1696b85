"""`specspan policy check`: clauses that a policy binds, or the problems for which it is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from specspan.call import Scalar
from specspan.cli.coverage_view import coverage_by_level, coverage_counts, coverage_line, one_or_all
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.terminal import clean, console, plural, print_json, printable
from specspan.decision import Action, Mode, OverrideRuling, Severity
from specspan.errors import PolicyError
from specspan.policy.coverage import measure_coverage
from specspan.policy.load import load_policy
from specspan.policy.overrides import rule_overrides
from specspan.policy.policy import ALWAYS, CheckBinding, ClausePolicy, Condition, Objective, Policy

_SEVERITY_STYLES = {Severity.LOW: "dim", Severity.MEDIUM: "", Severity.HIGH: "yellow", Severity.CRITICAL: "bold red"}


@click.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "json_", is_flag=True, help="Print JSON, also of what is refused.")
@environment_option
@import_option
def command(file: Path, json_: bool, environment: str | None, modules: tuple[str, ...]) -> None:
    """Show what a policy binds, or why it is refused.

    Of a refused policy every problem is printed, with line and remedy; the exit code is 2. Modules are searched as
    `python -m` searches them: from the current directory on.
    """
    try:
        with import_modules(modules):
            policy = load_policy(file, environment=environment)
    except PolicyError as error:
        _print_refusal(error, json_)
        raise click.exceptions.Exit(2) from error
    if json_:
        print_json(policy_json(policy))
    else:
        print_policy(console(), policy)


def _print_refusal(error: PolicyError, json_: bool) -> None:
    """Print a line a problem on standard error, or JSON on standard output."""
    if json_:
        print_json(problems_json(error))
        return
    click.echo(printable(str(error)), err=True)
    click.echo(f"\n{error.source} is refused: {plural(len(error.problems), 'problem')}.", err=True)


def policy_json(policy: Policy) -> dict[str, Any]:
    """Return the clauses that a policy binds and its overrides, for a program."""
    return {
        "policy": {
            "source": policy.source,
            "digest": policy.digest,
            "mode": policy.mode,
            "environment": policy.environment,
            "layers": [{"source": layer.source, "digest": layer.digest} for layer in policy.layers],
        },
        "spec": one_or_all(
            [
                {"id": spec.id, "version": spec.version, "digest": spec.digest, "source": spec.source}
                for spec in policy.specs
            ]
        ),
        "order": [list(equals) for equals in policy.order],
        "coverage": coverage_counts(measure_coverage(policy)),
        "clauses": [_clause_json(clause) for clause in policy.clauses.values()],
        "overrides": [_override_json(ruling) for ruling in _rulings(policy)],
    }


def problems_json(error: PolicyError) -> dict[str, Any]:
    """Return the problems for which a policy is refused, for a program."""
    problems = [
        {
            "file": problem.source or error.source,
            "line": problem.line,
            "key": problem.key,
            "message": problem.message,
            "remedy": problem.remedy,
        }
        for problem in error.problems
    ]
    return {"refused": error.source, "problems": problems}


def print_policy(out: Console, policy: Policy) -> None:
    """Print the clauses that a policy binds, its coverage and its overrides."""
    out.print(_identity_table(policy))
    out.line()
    if policy.clauses:
        print_lines(out, _clauses_table(policy))
        out.line()
    covered = measure_coverage(policy)
    out.print(coverage_by_level(covered))
    out.print(coverage_line(covered))
    rulings = _rulings(policy)
    if rulings:
        out.line()
        print_lines(out, _overrides_table(rulings))


def _identity_table(policy: Policy) -> Table:
    enforced = policy.mode is Mode.ENFORCE
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    table.add_row("policy", Text(policy.source, "bold"))
    table.add_row("", policy.digest)
    for layer in reversed(policy.layers[:-1]):
        table.add_row("extends", Text(layer.source, "bold"))
        table.add_row("", layer.digest)
    if policy.environment is not None:
        table.add_row("environment", Text(policy.environment, "bold"))
    for spec in policy.specs:
        table.add_row("spec", Text(f"{spec.id} {spec.version or ''}".rstrip(), "bold"))
        table.add_row("", spec.digest)
    if len(policy.specs) > 1:
        table.add_row("order", " › ".join(" = ".join(equals) for equals in policy.order))
    table.add_row("mode", "enforce: actions are taken" if enforced else "observe: actions are only recorded")
    return table


def _clauses_table(policy: Policy) -> ListTable:
    clauses = policy.clauses.values()
    with_modes = policy.mode is Mode.ENFORCE and any(clause.mode is Mode.OBSERVE for clause in clauses)
    table = ListTable(
        Column("clause"),
        Column("authority", gives_way=4),
        Column("severity", gives_way=3),
        Column("action", gives_way=5),
        Column("mode", gives_way=6),
        Column("checks"),
        Column("when", gives_way=2),
        Column("objective", gives_way=1),
    )
    for clause in clauses:
        table.add_row(
            Text(clause.clause.id, "" if clause.checks else "dim"),
            clause.clause.authority or "",
            Text(clause.severity, _SEVERITY_STYLES[clause.severity]),
            Text(clause.action, "bold" if clause.action.rank > Action.FLAG.rank else ""),
            Text(clause.mode, "yellow" if clause.mode is Mode.OBSERVE else "") if with_modes else "",
            _with_commas(list(_checks_of(clause.checks))) or Text("none", "dim"),
            _with_commas([] if clause.when == ALWAYS else list(_facts_of(clause.when))),
            _objective_text(clause.objective),
        )
    return table


def _with_commas(items: Sequence[str]) -> Sequence[str]:
    return [*(f"{item}," for item in items[:-1]), *items[-1:]]


def _checks_of(checks: Sequence[CheckBinding]) -> Iterator[str]:
    """Yield the checks by kind, stage and share of the calls, as in ``pattern output 10% ×2``."""
    counts = Counter(_check_text(binding) for binding in checks)
    yield from (f"{name} ×{count}" if count > 1 else name for name, count in counts.items())


def _check_text(binding: CheckBinding) -> str:
    return f"{binding.check.ref.mechanism} {binding.check.traits.stage}{_percentage(binding.sample)}"


def _percentage(share: float) -> str:
    return "" if share == 1 else f" {100 * share:.10g}%"


def _facts_of(condition: Condition) -> Iterator[str]:
    """Yield the circumstances that a clause applies in, as in ``tier: free or trial``."""
    facts = ((name, " or ".join(_fact_text(value) for value in values)) for name, values in condition.facts)
    yield from (f"{clean(name)}: {values}" for name, values in facts)


def _fact_text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else clean(value)


def _objective_text(objective: Objective | None) -> str:
    return "" if objective is None else f"{100 * objective.target:.10g}% over {_window_text(objective.window)}"


def _window_text(window: timedelta) -> str:
    """Return a time span in its largest whole unit, as in ``30d``."""
    minutes = int(window.total_seconds() // 60)
    unit, size = next((unit, size) for unit, size in (("d", 1440), ("h", 60), ("m", 1)) if minutes % size == 0)
    return f"{minutes // size}{unit}"


def _overrides_table(rulings: Sequence[OverrideRuling]) -> ListTable:
    table = ListTable(
        Column("override"),
        Column("by", gives_way=2),
        Column("until", gives_way=1),
        Column("ruling"),
        Column("reason", is_text=True),
    )
    for ruling in rulings:
        override = ruling.override
        until = "" if override.until is None else override.until.isoformat()
        answer = Text("granted", "green") if ruling.granted else Text(f"refused: {ruling.refusal}", "yellow")
        table.add_row(override.clause, override.by, until, answer, clean(override.reason))
    return table


def _rulings(policy: Policy) -> tuple[OverrideRuling, ...]:
    today = datetime.now(timezone.utc).date()
    return rule_overrides(policy.authority, policy.overrides, today)


def _clause_json(clause: ClausePolicy) -> dict[str, Any]:
    objective = clause.objective
    return {
        "id": clause.clause.id,
        "title": clause.clause.title,
        "authority": clause.clause.authority,
        "severity": clause.severity,
        "action": clause.action,
        "mode": clause.mode,
        "on_error": clause.on_error,
        "on_unread": clause.on_unread,
        "hold_back": str(clause.hold_back),
        "when": {name: list(values) for name, values in clause.when.facts},
        "objective": None
        if objective is None
        else {"target": objective.target, "window_s": objective.window.total_seconds()},
        "checks": [
            {
                "name": binding.check.ref.name,
                "kind": binding.check.ref.mechanism,
                "version": binding.check.ref.version,
                "stage": binding.check.traits.stage,
                "sample": binding.sample,
                "timeout_s": binding.timeout_s,
            }
            for binding in clause.checks
        ],
    }


def _override_json(ruling: OverrideRuling) -> dict[str, Any]:
    override = ruling.override
    return {
        "clause": override.clause,
        "by": override.by,
        "kind": override.kind,
        "reason": override.reason,
        "until": override.until,
        "granted": ruling.granted,
        "refusal": ruling.refusal,
    }
