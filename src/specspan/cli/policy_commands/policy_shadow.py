"""`specspan policy shadow`: what a candidate policy decided in production, beside the one in force."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.text import Text

from specspan.cli.storage import open_reader, since_option, store_options
from specspan.cli.terminal import clean, console, format_duration, plural, print_json
from specspan.errors import StoreError

Record = Mapping[str, Any]

_EXAMPLES = 5
_SUMS = ("calls", "changed", "unknown", "cost_ns")


@click.command("shadow")
@since_option
@store_options
def command(since: int | None, db: str | None, *, as_json: bool) -> None:
    """Show what each candidate policy decided otherwise than the policy in force, and what deciding cost.

    A policy names its candidate under `candidate`. Nothing that a candidate decides is acted on.
    """
    with open_reader(db) as reader:
        totals, changes = reader.other_records("shadow_total", since), reader.other_records("shadow", since)
        name = reader.name
    if not totals:
        raise StoreError(f"{name}: no candidate decided a call in that time. Name one under 'candidate' in the policy.")
    candidates = [_candidate_json(key, totals, changes) for key in dict.fromkeys(map(_key, reversed(totals)))]
    if as_json:
        print_json({"v": 1, "type": "shadow", "candidates": candidates})
        return
    for each in candidates:
        _print(each)


def _key(record: Record) -> tuple[str, str]:
    return str(record["candidate"]["digest"]), str(record["policy"]["digest"])


def _candidate_json(key: tuple[str, str], totals: Iterable[Record], changes: Iterable[Record]) -> dict[str, Any]:
    of_totals = [each for each in totals if _key(each) == key]
    of_changes = sorted((each for each in changes if _key(each) == key), key=lambda each: str(each["decision"]))
    sums = {
        name: sum(int(each.get(name, 0)) for each in of_totals) for name in ("calls", "changed", "unknown", "cost_ns")
    }
    clauses: Counter[tuple[str, str, str]] = Counter()
    actions: Counter[tuple[str, str]] = Counter()
    for each in of_changes:
        for clause, (before, after) in each["clauses"].items():
            clauses[clause, before or "not_bound", after or "not_bound"] += 1
        before, after = each["before"].get("action"), each["after"].get("action")
        if before != after and after is not None:
            actions[str(before), str(after)] += 1
    return {
        "candidate": key[0],
        "policy": key[1],
        **sums,
        "cost_ns_per_call": sums["cost_ns"] / sums["calls"] if sums["calls"] else None,
        "clauses": [
            {"clause": clause, "before": before, "after": after, "calls": count}
            for (clause, before, after), count in sorted(clauses.items())
        ],
        "actions": [{"before": a, "after": b, "calls": count} for (a, b), count in sorted(actions.items())],
        "examples": [each["decision"] for each in of_changes[:_EXAMPLES]],
    }


def _print(each: Mapping[str, Any]) -> None:
    out = console()
    out.print(Text(f"candidate {each['candidate']}", "bold"), soft_wrap=True)
    out.print(Text(f"beside    {each['policy']}", "dim"), soft_wrap=True)
    calls, cost = each["calls"], each["cost_ns_per_call"]
    words = f"{each['changed']} of {plural(calls, 'call')} decided otherwise, {each['unknown']} in part unknown"
    out.print(Text(words + ("" if cost is None else f"; {format_duration(round(cost))} of processor time a call.")))
    for change in each["clauses"]:
        line = f"  {clean(change['clause'])}  {clean(change['before'])} → {clean(change['after'])}"
        out.print(Text(f"{line}  {change['calls']} of {calls}"))
    for change in each["actions"]:
        out.print(Text(f"  action {clean(change['before'])} → {clean(change['after'])}  {change['calls']} of {calls}"))
    if each["examples"]:
        out.print(Text(f"  such as {' '.join(map(clean, each['examples']))}", "dim"), soft_wrap=True)
