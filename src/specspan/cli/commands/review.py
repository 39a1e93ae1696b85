"""`specspan review`: the queue of decisions that people review, rulings on them, and what they are good for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from enum import Enum
from typing import Any

import click
from rich.text import Text

from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.person_option import as_person, person_option
from specspan.cli.storage import ListGroup, require_one, store_options
from specspan.cli.terminal import clean, console, format_local, format_short, json_text, mark, plural, print_json
from specspan.decision import ReviewCause
from specspan.review.agreement import Agreement, Coefficient, measure_agreement
from specspan.review.review_labels import label_line, labels_of_reviews, ruling_lines
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, ReviewState, ReviewTask, RulingKind
from specspan.runtime.ruling_export import recording_queue

_KINDS = {"confirm": RulingKind.CONFIRM, "cannot-say": RulingKind.CANNOT_SAY}
_OUTCOMES = ("complied", "violated", "not_applicable")


@click.group("review", cls=ListGroup)
def command() -> None:
    """Review decisions: list what waits, claim it, rule on it; measure agreement, export labels."""


@command.command("list")
@store_options
@click.option("--state", type=click.Choice([state.value for state in ReviewState]), help="In this state.")
@click.option("--clause", metavar="ID", help="About this clause.")
@click.option("--service", metavar="NAME", help="Of this service.")
@click.option("--cause", type=click.Choice([cause.value for cause in ReviewCause]), help="Opened for this cause.")
@click.option("--mine", is_flag=True, help="Only those that I may rule on now.")
@click.option("--after", metavar="KEY", help="Those after the last one of another list, as it printed.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@person_option
def list_(db: str | None, *, as_json: bool, **options: Any) -> None:
    """List reviews, the newest first."""
    wanted = ReviewFilter(
        None if options["state"] is None else ReviewState(options["state"]),
        options["clause"],
        options["service"],
        None if options["cause"] is None else ReviewCause(options["cause"]),
        for_reviewer=as_person(options["person"]).name if options["mine"] else None,
    )
    with _queue(db) as queue:
        page = queue.list(wanted, after=options["after"], limit=options["limit"])
    if as_json:
        print_json({"reviews": [to_json(task) for task in page.tasks], "next": page.next_key})
        return
    _print_tasks(page.tasks)
    if page.next_key is not None:
        console().print(Text(f"More: --after '{page.next_key}'", "dim"), soft_wrap=True)


@command.command()
@click.argument("task_id", metavar="REVIEW")
@store_options
@person_option
def show(task_id: str, db: str | None, person: str, *, as_json: bool) -> None:
    """Show a review: the clause, what was found, the call where its content is recorded, and its history.

    Rulings of others are shown once you have ruled yourself, or when nobody rules any more.
    """
    with _queue(db) as queue:
        task = queue.task(_find(queue, task_id))
        shown, name = queue.decision(task), as_person(person).name
        history, rulings = queue.history(task.id, name), queue.rulings(task.id, name)
    call = None if shown.call is None else [*shown.call.input, *shown.call.output]
    if as_json:
        print_json(
            {
                **to_json(task),
                "clause_text": shown.clause_record.get("text"),
                "findings": shown.findings,
                "decision_record": shown.record,
                "messages": None if call is None else plain_json(call),
                "rulings": [plain_json(asdict(ruling)) for ruling in rulings],
                "history": [plain_json(asdict(event)) for event in history],
            }
        )
        return
    out = console()
    _print_tasks([task])
    for text in (shown.clause_record.get("title"), shown.clause_record.get("text")):
        if text:
            out.print(Text(f"  {clean(text)}"), soft_wrap=True)
    for finding in shown.findings:
        line = mark(str(finding.get("outcome"))).append(f"  {clean((finding.get('check') or {}).get('name'))}")
        out.print(line.append(f"  {clean(finding.get('reason'))}", "dim"), soft_wrap=True)
    for message in call or ():
        for part in message.parts:
            out.print(Text(f"{message.role}: ", "dim").append(clean(getattr(part, "content", part))), soft_wrap=True)
    if call is None:
        out.print(Text("The content of the call is not recorded.", "yellow"))
    if task.trace_id:
        out.print(Text(f"specspan traces show {task.trace_id}", "dim"), soft_wrap=True)
    for event in history:
        said = event.detail.get("outcome") or event.detail.get("kind") or ""
        words = (format_local(event.time_unix_nano), event.kind, event.person, said, event.detail.get("reason"))
        out.print(Text("  ".join(clean(word) for word in words if word)), soft_wrap=True)


@command.command()
@click.argument("task_id", metavar="REVIEW")
@store_options
@person_option
@click.option("--release", is_flag=True, help="Give it back instead.")
def claim(task_id: str, db: str | None, person: str, *, release: bool, as_json: bool) -> None:
    """Keep a review from others for 15 minutes."""
    with _queue(db) as queue:
        act = queue.release if release else queue.claim
        task = act(_find(queue, task_id), as_person(person))
    _print_result(task, as_json=as_json)


@command.command()
@click.argument("task_id", metavar="REVIEW")
@click.argument("ruling", type=click.Choice((*_KINDS, *_OUTCOMES)))
@click.option("--reason", required=True, metavar="TEXT", help="Why, in a sentence. It is recorded.")
@store_options
@person_option
def rule(task_id: str, ruling: str, reason: str, db: str | None, person: str, *, as_json: bool) -> None:
    """Rule on a review: confirm what was found, name the outcome that it is instead, or say that you cannot say."""
    with recording_queue(db) as queue:
        kind = _KINDS.get(ruling, RulingKind.OVERRULE)
        outcome = ruling if kind is RulingKind.OVERRULE else None
        result = queue.rule(_find(queue, task_id), as_person(person), kind, outcome=outcome, reason=reason)
    if as_json:
        print_json({**to_json(result.task), "ruling": plain_json(asdict(result.ruling)), "amended": result.amended})
        return
    _print_tasks([result.task])
    if result.amended is not None:
        before, after = result.amended
        console().print(
            Text("The decision was ").append_text(mark(before)).append(", and is ").append_text(mark(after))
        )


@command.command()
@store_options
@click.option("--clause", metavar="ID", help="Only about this clause.")
def agreement(db: str | None, clause: str | None, *, as_json: bool) -> None:
    """Tell how far reviewers agree who ruled on the same decisions, by clause and reviewer."""
    with _queue(db) as queue:
        found = measure_agreement(queue.ruled(clause))
    if as_json:
        print_json([_agreement_json(each) for each in found])
        return
    table = ListTable(
        Column("clause", style="bold"),
        Column("reviewers"),
        Column("tasks", align_right=True),
        Column("agreement", align_right=True),
        Column("95% interval", gives_way=1, align_right=True),
    )
    for each in found:
        name = "all" if each.clause is None else clean(each.clause)
        table.add_row(name, "Krippendorff's alpha", str(each.tasks), *_coefficient(each.alpha))
        for pair, kappa in each.kappas.items():
            table.add_row("", clean(" and ".join(pair)), "", *_coefficient(kappa))
        for person, (same, total) in each.by_reviewer.items():
            table.add_row("", clean(person), str(total), f"{same} of {total}", "")
    print_lines(console(), table)


@command.command()
@store_options
@click.option("--clause", metavar="ID", help="Only about this clause.")
@click.option("--labels", is_flag=True, help="Labels for `specspan judge calibrate --labels`, with content.")
@click.option("--all-causes", is_flag=True, help="Labels also of reviews that were not drawn by a share.")
def export(db: str | None, clause: str | None, *, labels: bool, all_causes: bool, as_json: bool) -> None:
    """Write rulings of finished reviews, or labels, as JSON Lines (with --json as one array)."""
    with _queue(db) as queue:
        if labels:
            found = labels_of_reviews(queue, clause, drawn_only=not all_causes)
            lines = [label_line(label) for label in found.calls]
        else:
            lines = list(ruling_lines(queue.ruled(clause)))
    if as_json:
        print_json(lines)
    else:
        click.echo("".join(f"{json_text(line, None)}\n" for line in lines), nl=False)


@contextmanager
def _queue(db: str | None) -> Iterator[ReviewQueue]:
    with closing(ReviewQueue(db)) as queue:
        yield queue


def _find(queue: ReviewQueue, prefix: str) -> str:
    return require_one("review", prefix, queue.task_ids(prefix), "specspan review list")


def _print_result(task: ReviewTask, *, as_json: bool) -> None:
    if as_json:
        print_json(to_json(task))
    else:
        _print_tasks([task])


def _print_tasks(tasks: Sequence[ReviewTask]) -> None:
    if not tasks:
        console().print("No reviews.")
        return
    table = ListTable(
        Column("opened", gives_way=2),
        Column("review", style="cyan"),
        Column("clause", style="bold"),
        Column("found"),
        Column("because", gives_way=1),
        Column("state"),
        Column("by", gives_way=0),
    )
    now = time.time_ns()
    for task in tasks:
        people = task.ruled_outcome or task.claimed_by or plural(len(task.ruled_by), "ruling")
        table.add_row(
            format_short(task.opened_unix_nano, now),
            clean(task.id),
            clean(task.clause),
            mark(task.outcome),
            ", ".join(cause.value for cause in task.causes),
            task.state.value,
            clean(people),
        )
    print_lines(console(), table)


def to_json(task: ReviewTask) -> dict[str, Any]:
    """Return a task as JSON."""
    value: dict[str, Any] = plain_json(asdict(task))
    return value


def plain_json(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): plain_json(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(each) for each in value]
    if hasattr(value, "__dataclass_fields__"):
        return plain_json({"type": getattr(value, "type", None), **asdict(value)})
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _agreement_json(each: Agreement) -> dict[str, Any]:
    return {
        "clause": each.clause,
        "tasks": each.tasks,
        "krippendorff_alpha": asdict(each.alpha),
        "cohen_kappa": [{"reviewers": list(pair), **asdict(kappa)} for pair, kappa in each.kappas.items()],
        "by_reviewer": {name: {"agreed": same, "rulings": total} for name, (same, total) in each.by_reviewer.items()},
    }


def _coefficient(each: Coefficient) -> tuple[str, str]:
    if each.value is None:
        return "–", ""
    return f"{each.value:.2f}", f"{each.low:.2f} – {each.high:.2f}"
