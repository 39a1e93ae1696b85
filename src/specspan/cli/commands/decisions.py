"""`specspan decisions`: what was decided, call by call; spans may be sampled away, decisions are not."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from specspan.cli.storage import Kind, Listing, filtering, one, opened, reading, show_list, table
from specspan.cli.terminal import WORST_FIRST, clean, console, listed, local, mark, print_json, trace_link, utc
from specspan_exporter_sqlite import Reader

# MERGED decision_view: One decision for the eye: what was decided, then every clause and what was found about it.


Record = Mapping[str, Any]

_QUIET = ("complied", "not_applicable", "unassessed")
_WEIGHT = {"complied": "", "not_applicable": "dim"}
MOST_ROWS = 24
"""Above this many findings, the quiet ones (complied, not applicable, unassessed) share a line with their like."""


def decision_view(record: Record, policies: Sequence[Record] = (), *, most_rows: int = MOST_ROWS) -> Group:
    """A decision record as lines. ``policies`` name the clauses that no check looked at."""
    return Group(*_parts(record, policies, most_rows))


def headline(record: Record) -> Text:
    """Verdict, action, mode, and what governed and why."""
    line = mark(str(record.get("verdict")))
    line.append(" · ", "dim")
    line.append(action(record), "bold")
    line.append(f" · {clean(record.get('mode'))}", "dim")
    if record.get("governing_clause"):
        line.append(" · governed by ", "dim").append(clean(record["governing_clause"]), "bold")
    if record.get("reason"):
        line.append(f" ({clean(record['reason'])})")
    return line


def action(record: Record) -> str:
    """What was done and, where that differs, what enforce mode would have done."""
    done, would = clean(record.get("action")), clean(record.get("would"))
    return f"{done}, would {would}" if would and would != done else done


def _parts(record: Record, policies: Sequence[Record], most_rows: int) -> Iterator[RenderableType]:
    findings = [finding for finding in record.get("findings") or () if isinstance(finding, Mapping)]
    rows, lines = _split(findings, record, most_rows)
    yield headline(record)
    if rows:
        yield _grid(rows)
    unlooked = _unlooked(record, findings, policies)
    lines["unassessed"] += unlooked or []
    yield from (_listed(outcome, clauses) for outcome, clauses in lines.items() if clauses)
    if unlooked is None:
        yield from _unlooked_count(record, findings)
    yield from _consequences(record)


def _split(findings: Sequence[Record], record: Record, most_rows: int) -> tuple[list[Record], dict[str, list[str]]]:
    """What gets a row of its own, worst first, and what shares a line with its like, by outcome."""
    ordered = sorted(findings, key=lambda finding: _order(finding, record))
    if len(ordered) <= most_rows:
        return ordered, {outcome: [] for outcome in _QUIET}
    quiet = {outcome: [clean(f.get("clause")) for f in ordered if f.get("outcome") == outcome] for outcome in _QUIET}
    return [finding for finding in ordered if finding.get("outcome") not in _QUIET], quiet


def _order(finding: Record, record: Record) -> tuple[int, bool]:
    outcome = finding.get("outcome")
    rank = WORST_FIRST.index(outcome) if outcome in WORST_FIRST else len(WORST_FIRST)
    return rank, finding.get("clause") != record.get("governing_clause")


def _grid(findings: Iterable[Record]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for wraps in (False, True, False, True):
        grid.add_column(no_wrap=not wraps, overflow="fold")
    for finding in findings:
        outcome = str(finding.get("outcome"))
        grid.add_row(
            mark(outcome),
            Text(clean(finding.get("clause")), _WEIGHT.get(outcome, "bold")),
            Text(clean(finding.get("authority")), "dim"),
            _ground(finding),
        )
    return grid


def _ground(finding: Record) -> Text:
    """Which check, for what reason, where it points, and in its own words where those are recorded: each on a line."""
    ground, name = Text(), None
    if isinstance(check := finding.get("check"), Mapping):
        name = check.get("name")
        ground.append(f"{clean(check.get('kind'))} {clean(name)}")
    if finding.get("reason") and finding["reason"] != name:  # a pattern check is named for its reason
        ground.append(": " if ground else "").append(clean(finding["reason"]), "italic")
    for evidence in finding.get("evidence") or ():
        where = f"{clean(evidence.get('pointer'))}[{clean(evidence.get('start'))}:{clean(evidence.get('end'))}]"
        ground.append("\n" if ground else "").append(where, "cyan")
    if finding.get("explanation"):
        ground.append("\n" if ground else "").append(clean(finding["explanation"]), "dim")
    return ground


def _unlooked(record: Record, findings: Sequence[Record], policies: Sequence[Record]) -> list[str] | None:
    """The clauses in force that have no finding, as no check is bound to them. None: their names are not recorded."""
    policy = in_force(record, policies)
    if policy is None:
        return None
    found = {finding.get("clause") for finding in findings}
    ids = [str(clause.get("id")) for clause in policy.get("clauses") or ()]
    return [clean(clause) for clause in ids if clause not in found]


def _unlooked_count(record: Record, findings: Sequence[Record]) -> Iterator[Text]:
    """How many clauses have no finding, where their names are not recorded."""
    counted = (record.get("counts") or {}).get("unassessed") or 0
    count = counted - sum(finding.get("outcome") == "unassessed" for finding in findings)
    if count > 0:
        yield mark("unassessed").append(f": {count} clauses that no check looked at")


def in_force(record: Record, policies: Sequence[Record]) -> Record | None:
    """The policy record that a decision was made under: same policy, same texts."""
    digest, specs = (record.get("policy") or {}).get("digest"), _digests(record)
    same = [policy for policy in policies if digest and (policy.get("policy") or {}).get("digest") == digest]
    return next((policy for policy in same if not specs or _digests(policy) == specs), None)


def _digests(record: Record) -> list[Any]:
    return [spec.get("digest") for spec in record.get("spec") or ()]


def _listed(outcome: str, clauses: Sequence[str]) -> Text:
    line = mark(outcome).append(f" ({len(clauses)}) ", "dim")
    return line.append(", ".join(clauses), "dim")


def _consequences(record: Record) -> Iterator[Text]:
    """What was done to the text, and which exceptions were asked for."""
    if record.get("redacted"):
        places = ", ".join(map(clean, record["redacted"]))
        yield Text("✂ redacted ", "bold yellow").append(places, "cyan")
    released = (record.get("stream") or {}).get("released_chars")
    if released is not None:
        yield Text("✂ stream cut", "bold yellow").append(f" after {released:,} characters had been seen", "")
    for override in record.get("overrides") or ():
        yield _override(override)


def _override(override: Record) -> Text:
    granted = bool(override.get("granted"))
    line = Text("↷ override ", "magenta").append(clean(override.get("clause")))
    line.append(f" by {clean(override.get('by'))} ")
    line.append("granted" if granted else "refused", "green" if granted else "bold red")
    why = [clean(override[key]) for key in ("reason", "refusal") if override.get(key)]
    return line.append(f": {'; '.join(why)}" if why else "", "dim")


@click.group("decisions", cls=Listing)
def command() -> None:
    """List decisions, the newest first; show one with every finding."""


@command.command("list")
@reading
@filtering
def list_(**options: Any) -> None:
    """List decisions, the newest first."""
    show_list(Kind("decisions", Reader.decisions, _json, _table), **options)


@command.command()
@click.argument("decision_id")
@reading
def show(decision_id: str, db: Path | None, *, as_json: bool) -> None:
    """Show one decision, by the start of its id."""
    with opened(db) as reader:
        found = one("decision", decision_id, reader.decision_ids(decision_id.lower()), "specspan decisions")
        record = reader.decision(found)
        if as_json:
            print_json(_json(record))
            return
        policies = reader.policies([str(_of(record, "policy").get("digest"))])
    out = console()
    for name, value in _facts(record):
        out.print(Text(f"{name:<9}", "dim").append(value))
    out.print(decision_view(record, policies))
    link = trace_link(record["trace_id"], record.get("span_id")) if record.get("trace_id") else None
    if link:
        click.echo(clean(link))


def _table(records: Sequence[Record], reader: Reader) -> Table:
    made = table(
        "time", "decision", "trace", "verdict", "action", "governing clause", "reason",
        folding=("action", "governing clause", "reason"),
    )  # fmt: skip
    now = time.time_ns()
    for record in records:
        made.add_row(
            listed(record["time_unix_nano"], now),
            Text(reader.short_decision_id(record["id"]), "cyan"),
            reader.short_trace_id(record["trace_id"]) if record.get("trace_id") else "",
            mark(str(record.get("verdict"))),
            action(record),
            Text(clean(record.get("governing_clause")), "bold"),
            clean(record.get("reason")),
        )
    return made


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """What a decision is about, and under which texts it was made: enough to decide it again."""
    yield "decision", clean(record["id"])
    yield "time", local(record["time_unix_nano"])
    yield "service", _words(_of(record, "service"), "name", "version")
    yield "call", _words(_of(record, "call"), "provider", "operation", "model", "tool")
    if _of(_of(record, "call"), "scope"):
        yield "scope", _words(_of(_of(record, "call"), "scope"), "trust", "digest")
    yield "trace", f"{clean(record.get('trace_id'))} span {clean(record.get('span_id'))}"
    for spec in record.get("spec") or ():
        yield "spec", _words(spec, "id", "version", "digest")
    yield "policy", _words(_of(record, "policy"), "digest")


def _words(of: Record, *keys: str) -> str:
    return " ".join(clean(of[key]) for key in keys if of.get(key))


def _of(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _json(record: Record) -> dict[str, Any]:
    return {**record, "time": utc(record["time_unix_nano"])}
