"""`specspan stats`: how many calls there were, what was decided about them, and what they took."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import click
from rich.text import Text

from specspan.cli.list_table import Column, ListTable
from specspan.cli.prices import calculate_cost
from specspan.cli.storage import REMEDY, open_reader, since_option, store_options
from specspan.cli.terminal import (
    WORST_FIRST,
    clean,
    console,
    format_duration,
    list_width,
    mark,
    print_json,
    print_pages,
)
from specspan.errors import StoreError
from specspan.sqlite.model import GROUPS, Statistics

_ALL = "all"
_SPARKS = "▁▂▃▄▅▆▇█"


@click.command("stats")
@click.option("--by", type=click.Choice(GROUPS), help="A row for each of these. Days are of UTC.")
@since_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@store_options
def command(by: str | None, since: int | None, db: str | None, *, as_csv: bool, as_json: bool) -> None:
    """Count calls by verdict, violations, what was unassessed and why, tokens, their cost, and what specspan cost.

    Overhead is the time that specspan itself took of a caller's, for half of the calls and for 99 in 100. By clause, it
    is findings that are counted, by outcome; tokens and costs are those of the calls that violated it. Costs need the
    extra `prices`.
    """
    if as_csv and as_json:
        raise click.UsageError("Choose one of --csv and --json.")
    with open_reader(db) as reader:
        groups = reader.statistics(by, since)
        if not groups and since is None and not (as_csv or as_json):
            raise StoreError(f"{reader.name}: no decisions in it yet. {REMEDY}")
    if as_json:
        print_json([_to_json(group) for group in groups])
    elif as_csv:
        click.echo(_to_csv(groups), nl=False)
    elif not groups:
        console().print(Text("No decisions match."))
    else:
        out = console()
        print_pages(out, *_to_table(groups, by).lines(list_width(out)), *_notes(groups, by))


def _to_table(groups: Sequence[Statistics], by: str | None) -> ListTable:
    verdicts = [name for name in WORST_FIRST if any(group.verdicts.get(name) for group in groups)]
    with_days = by == "day" and len(groups) > 1 and (sys.stdout.encoding or "").lower().startswith("utf")
    most = max(group.calls for group in groups)
    table = ListTable(
        Column(by or "", style="bold"),
        Column("", gives_way=1),
        Column("findings" if by == "clause" else "calls", align_right=True),
        *(Column(mark(name).plain, gives_way=9 - at, align_right=True) for at, name in enumerate(verdicts)),
        Column("violations", gives_way=10, align_right=True),
        Column("tokens in", gives_way=5, align_right=True),
        Column("out", gives_way=4, align_right=True),
        Column("cost", gives_way=6, align_right=True),
        Column("overhead p50", gives_way=2, align_right=True),
        Column("p99", gives_way=2, align_right=True),
        Column("unassessed", gives_way=3),
    )
    for group in groups:
        cost, tokens = calculate_cost(group.usage)[0], _tokens(group)
        table.add_row(
            clean(group.name) or ("–" if by else _ALL),
            _SPARKS[(group.calls * len(_SPARKS) - 1) // most] if with_days else "",
            str(group.calls),
            *(Text(str(group.verdicts.get(name, 0)), mark(name).style) for name in verdicts),
            "" if by == "clause" else str(group.violations),
            *(f"{number:,}" for number in tokens),
            "" if cost is None else f"${cost:.4f}",
            *("" if ns is None else format_duration(ns) for ns in (group.overhead_p50_ns, group.overhead_p99_ns)),
            [f"{clean(reason)} {count}" for reason, count in sorted(group.unassessed.items())],
        )
    return table


def _notes(groups: Sequence[Statistics], by: str | None) -> Iterator[Text]:
    unknown = sorted({model for group in groups for model in calculate_cost(group.usage)[1]})
    if by == "clause" and any(group.usage for group in groups):
        yield Text("Tokens and costs are those of the calls that violated a clause.", "dim")
    if unknown:
        yield Text(f"No price is known of {', '.join(map(clean, unknown))}.", "dim")


def _tokens(group: Statistics) -> tuple[int, int]:
    usages = group.usage.values()
    return sum(usage.input_tokens for usage in usages), sum(usage.output_tokens for usage in usages)


def _to_json(group: Statistics) -> dict[str, Any]:
    cost, unknown = calculate_cost(group.usage)
    tokens_in, tokens_out = _tokens(group)
    return {
        "name": group.name,
        "calls": group.calls,
        "verdicts": dict(group.verdicts),
        "violations": group.violations,
        "unassessed": dict(group.unassessed),
        "input_tokens": tokens_in,
        "output_tokens": tokens_out,
        "cost_usd": _number(cost),
        "models_without_price": unknown,
        "overhead_p50_ns": group.overhead_p50_ns,
        "overhead_p99_ns": group.overhead_p99_ns,
    }


def _number(cost: Decimal | None) -> float | None:
    return None if cost is None else float(cost)


def _to_csv(groups: Sequence[Statistics]) -> str:
    """Return a line for each group; every verdict and reason that occurs has a column of its own."""
    rows = [_flat(_to_json(group)) for group in groups]
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval=0, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat.update({f"{name}.{clean(key)}": count for key, count in sorted(value.items())})
        elif isinstance(value, list):
            flat[name] = " ".join(map(clean, value))
        else:
            flat[name] = clean(value) if isinstance(value, str) else value
    return flat
