"""Lineage of a decision on a terminal, from the call to the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from specspan.cli.decision_reviews import review_line
from specspan.cli.terminal import clean, format_utc, mark, printable

Record = Mapping[str, Any]

_NAME_WIDTH = 12


def lineage_lines(document: Record) -> Iterator[RenderableType]:
    """Yield the parts of a lineage from top to bottom."""
    decision, call = document["decision"], document["call"]
    head = mark(str(decision.get("verdict"))).append(
        f" · {clean(decision.get('action'))} · {clean(decision.get('mode'))}", ""
    )
    yield head
    yield _fact("decision", decision["id"], format_utc(decision["time_unix_nano"]))
    yield _fact("governed by", decision.get("governing_clause") or "no clause", decision.get("reason"))
    yield _fact("call", *(call.get(name) for name in ("provider", "operation", "model", "tool")))
    yield _fact("", (call.get("service") or {}).get("name"), call.get("trace_id"))
    yield _fact("content", "recorded" if call["content_recorded"] else "not recorded", call.get("input_digest"))
    for spec in document["spec"]:
        yield _fact("spec", spec.get("id"), spec.get("version"), spec.get("digest"))
    yield _fact("policy", document["policy"].get("digest"))
    for each in document["clauses"]:
        yield Text()
        yield from _clause(each)
    yield from _section("overrides", map(_override, document["overrides"]))
    if document.get("amended"):
        before = (document["amended"].get("before") or {}).get("verdict")
        yield Text()
        yield _fact("amended", f"{before} before a finding that came late")
    yield from _section("reviews", map(review_line, document["reviews"]))
    if document.get("ledger"):
        yield from _section("ledger", [_ledger(document["ledger"])])
    if document["lacks"]:
        yield Text()
        yield Text("What is missing", "bold yellow")
        for sentence in document["lacks"]:
            yield Padding(Text(clean(sentence), "yellow"), (0, 0, 0, 2))


def _clause(each: Record) -> Iterator[RenderableType]:
    yield Text(clean(each["clause"]), "bold").append(
        f"  {clean(each.get('authority'))}  {clean(each.get('title'))}", "dim"
    )
    if each.get("text"):
        yield Padding(Text(printable(each["text"].strip()), "italic"), (0, 0, 0, 2))
    if each.get("text_of"):
        yield _fact("  text", *(each["text_of"].get(name) for name in ("id", "version", "digest")))
    for place in each["bound_at"]:
        yield _fact("  bound at", f"{place['file']}:{place['line']}", place["what"], place.get("definition"))
    for finding in each["findings"]:
        yield from _finding(finding)


def _finding(finding: Record) -> Iterator[RenderableType]:
    check = finding.get("check") or {}
    line = Text("  ").append_text(mark(str(finding.get("outcome"))))
    for value in (finding.get("reason"), finding.get("stage"), check.get("kind"), check.get("name")):
        line.append(f"  {clean(value)}" if value else "")
    line.append(f"  version {clean(check.get('version'))}" if check else "", "dim")
    if finding.get("score") is not None:
        line.append(f"  score {finding['score']:g}")
    for place in finding.get("evidence") or ():
        line.append(f"  {clean(place.get('pointer'))}[{clean(place.get('start'))}:{clean(place.get('end'))}]", "cyan")
    yield line
    judge = finding.get("judge")
    if judge:
        yield from _judge(judge)


def _judge(judge: Record) -> Iterator[RenderableType]:
    if judge.get("prompt"):
        yield _fact("    prompt", f"rubric {judge['prompt']['rubric']}", judge.get("model"))
        yield Padding(Text(printable(judge["prompt"]["instructions"].strip()), "dim"), (0, 0, 0, 6))
    calibration = judge.get("calibration")
    if calibration:
        found, cleared = calibration["sensitivity"], calibration["specificity"]
        yield _fact(
            "    calibrated",
            f"found {found['found']} of {found['of']}, cleared {cleared['cleared']} of {cleared['of']}",
            calibration["labels"]["source"],
            calibration["digest"],
        )


def _override(each: Record) -> Text:
    ruled = "granted" if each.get("granted") else f"refused: {clean(each.get('refusal'))}"
    origin = "for this call" if each.get("of_call") else "by the policy"
    words = f"  {clean(each.get('clause'))}  by {clean(each.get('by'))}, {origin}: {clean(each.get('reason'))}"
    return Text(words).append(f"  {ruled}", "bold")


def _ledger(each: Record) -> Text:
    checkpoint = each.get("checkpoint")
    under = "under no checkpoint yet" if checkpoint is None else f"under {clean(checkpoint.strip().splitlines()[2])}"
    state = "proved" if each.get("is_proved") else "not proved"
    return Text(f"  {clean(each['stream'])}:{each['seq']}  {state}, {under}")


def _section(title: str, lines: Iterator[RenderableType] | Sequence[RenderableType]) -> Iterator[RenderableType]:
    listed = list(lines)
    if listed:
        yield Text()
        yield Text(title, "bold")
        yield from listed


def _fact(name: str, *values: object) -> Text:
    words = "  ".join(clean(value) for value in values if value)
    return Text(f"{name:<{_NAME_WIDTH}}", "dim").append(words, "not dim")
