"""Report of a replay on a terminal: what was read, what changed by clause and by ruling, and what is not known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from specspan.cli.list_table import Column, ListTable
from specspan.cli.rate_words import percentage
from specspan.cli.terminal import clean, plural
from specspan.replay.report import Change, ClauseReport, Report, RulingReport
from specspan.replay.run import Replay
from specspan.replay.stored_calls import StoredCalls

_NAMED = 3
"""Number of decisions that are named beside a change."""
_RULINGS = {"verdict": "verdict", "action": "action", "would": "action if every clause were enforced"}
WORDS = {
    "content_not_recorded": "their content was not recorded: unchanged checks count as they did",
    "content_truncated": "their content was cut to size when it was recorded",
    "content_redacted": "the policy of then took something out of them, which is recorded nowhere",
    "content_not_understood": "their recorded content has an unknown shape",
    "newer_version": "their records are of a newer version of specspan",
    "missing_policy_record": "the record of their policy is missing",
    "in_future": "they are dated after the end of the window: a clock was wrong",
    "invalid_record": "their records lack what every decision has",
    "context_not_recorded": "the facts that the application declared were not recorded",
    "answer_never_made": "the policy of then stopped the call before the model answered",
    "request_would_change": "the policy changes the request, to which the model might have answered otherwise",
    "judge_not_asked": "no recorded finding is this judge's; --judge ask asks it",
}
"""Reasons in words."""


def replay_lines(replay: Replay, calls: StoredCalls, report: Report, width: int | None) -> Iterator[RenderableType]:
    """Yield the parts of the report from top to bottom."""
    against = "what was recorded" if replay.baseline is None else clean(replay.baseline.source)
    yield Text(f"{clean(replay.policy.source)} against {against}", "bold")
    words = f"{plural(report.calls, 'call')} of {plural(calls.read, 'decision')} replayed, {report.equal} unchanged."
    yield Text(words)
    yield from _reasons("left out", calls.left_out)
    yield from _reasons("not whole", calls.missing)
    if len(calls.policies) > 1:
        yield Text(f"Decided by {len(calls.policies)} policies and {len(calls.specs)} sets of specs.", "dim")
    if calls.skewed:
        yield Text(f"{plural(calls.skewed, 'decision')} with a time that is not that of its id: a clock was wrong.")
    changed = [each for each in report.clauses if each.changes or each.unknown]
    if changed:
        yield Text()
        yield from _clause_table(changed).lines(width)
    for ruling in report.rulings:
        yield from _ruling_lines(ruling)


def _reasons(what: str, counts: Counter[str]) -> Iterator[Text]:
    for reason, count in sorted(counts.items()):
        yield Text(f"  {count} {what}: {WORDS.get(reason, clean(reason))}.", "yellow")


def _clause_table(clauses: list[ClauseReport]) -> ListTable:
    table = ListTable(
        Column("clause", style="bold"),
        Column("compared", align_right=True),
        Column("newly violated", align_right=True),
        Column("newly complied", align_right=True),
        Column("newly unassessed", align_right=True),
        Column("violations", align_right=True),
        Column("95% interval", align_right=True),
        Column("p", gives_way=3, align_right=True),
        Column("unknown", gives_way=2),
        Column("such as", gives_way=1),
    )
    for each in clauses:
        paired = each.violated
        table.add_row(
            clean(each.clause),
            str(each.compared),
            str(each.newly_violated),
            str(each.newly_complied),
            str(each.newly_unassessed),
            _signed(paired.difference) if paired.compared else "",
            f"{_signed(paired.interval.low)} – {_signed(paired.interval.high)}" if paired.compared else "",
            f"{paired.p_value:.2g}" if paired.gained + paired.lost else "",
            [f"{clean(reason)} {count}" for reason, count in sorted(each.unknown.items())],
            " ".join(each.changes[0].examples[:1]) if each.changes else "",
        )
    return table


def _signed(share: float) -> str:
    return f"{'−' if share < 0 else '+' if share > 0 else ''}{percentage(abs(share))}"


def _ruling_lines(ruling: RulingReport) -> Iterator[Text]:
    unknown = f", {ruling.unknown} not known" if ruling.unknown else ""
    if not ruling.changes and not ruling.unknown:
        return
    yield Text()
    yield Text(f"{_RULINGS[ruling.name]}: compared on {plural(ruling.compared, 'call')}{unknown}", "bold")
    for change in ruling.changes:
        yield _change_line(change)


def _change_line(change: Change) -> Text:
    named = " ".join(change.examples[:_NAMED])
    return Text(f"  {clean(change.before)} → {clean(change.after)}  {change.calls}  ").append(named, "dim")
