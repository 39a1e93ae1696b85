"""`specspan judge run`: judges of a policy over recorded calls, whose findings are kept beside their decisions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.recorded_judging import judge_recorded
from specspan.cli.storage import db_option, open_reader, since_option
from specspan.cli.terminal import console, mark, plural, print_json
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan.runtime.otel_providers import DECISIONS, create_exporter
from specspan.stores.opening import kind_name, store_address


@click.command("run")
@click.argument("policy", type=click.Path(path_type=Path), envvar="SPECSPAN_POLICY")
@click.option("--clause", "clauses", metavar="ID", multiple=True, help="Only this clause; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="At most so many decisions.")
@click.option("--again", is_flag=True, help="Also where the same judge has decided already.")
@click.option("--dry-run", is_flag=True, help="Count what would be asked, and ask nothing.")
@since_option
@db_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@environment_option
@import_option
def command(
    policy: Path,
    clauses: tuple[str, ...],
    limit: int,
    since: int | None,
    db: str | None,
    environment: str | None,
    modules: tuple[str, ...],
    *,
    again: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Have calls that were recorded with their content judged by the judges of POLICY, whatever its samples say.

    A finding is kept with the decision that it is about, and amends its verdict where it changes it.
    """
    with import_modules(modules):
        checks = list(judge_checks_of(load_policy(policy, environment=environment)))
    wanted = [check for check in checks if not clauses or (check.clause is not None and check.clause.id in clauses)]
    if not wanted:
        raise click.UsageError(f"{policy} has no judge of {'these clauses' if clauses else 'any clause'}.")
    with open_reader(db) as reader:
        told = judge_recorded(reader, wanted, since_unix_nano=since, limit=limit, again=again, dry_run=dry_run)
    if told.records:
        exporter = create_exporter(DECISIONS, kind_name(store_address(db)), db=db)
        exporter.export(told.records)
        exporter.shutdown()
    if as_json:
        print_json({"decisions": told.decisions, "amended": told.amended, "clauses": _to_json(told.outcomes)})
        return
    out = console()
    for clause, outcomes in sorted(told.outcomes.items()):
        line = Text(f"{clause}  ", "bold")
        for outcome, count in sorted(outcomes.items()):
            line.append_text(mark(outcome)).append(f" {count}  ", "not bold")
        out.print(line)
    out.print(f"{plural(told.decisions, 'decision')}, {plural(told.amended, 'verdict')} amended.")


def _to_json(outcomes: dict[str, Counter[str]]) -> dict[str, Any]:
    return {clause: dict(sorted(counts.items())) for clause, counts in sorted(outcomes.items())}
