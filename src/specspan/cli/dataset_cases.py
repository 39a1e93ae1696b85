"""Cases for datasets, as commands make them of a store, and what they say of those that could not be made."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import click
from rich.text import Text

from specspan.cli.replay_view import WORDS
from specspan.cli.terminal import clean, console, plural
from specspan.decision import Outcome
from specspan.incidents.incident import Incident
from specspan.replay.dataset import Dataset, DatasetCase
from specspan.replay.dataset_making import Refusal, make_case
from specspan.replay.reviewed_rulings import ruled_tasks
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, ReviewState, ReviewTask
from specspan.sqlite.model import Filter
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]

redact_option = click.option(
    "--redact", "patterns", metavar="REGEX", multiple=True, help="Take out what this matches, too; repeatable."
)
"""Option ``patterns``: what is redacted besides personal data that detectors know."""


@dataclass(slots=True)
class Made:
    """Cases that were made, and the number of decisions that make none, by reason."""

    cases: list[DatasetCase] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, case: DatasetCase | Refusal) -> None:
        """Take in a case, or why there is none."""
        if isinstance(case, Refusal):
            self.refused[case.reason] += 1
        else:
            self.cases.append(case)


def cases_of_decisions(
    reader: StoreReader, decisions: Iterable[Record], clause: str | None, patterns: Sequence[str]
) -> Made:
    """Return the cases of decisions, each with what was decided: of one clause, or of all."""
    made, compiled = Made(), _compiled(patterns)
    for decision in decisions:
        case = make_case(reader, decision, expected={}, source=_source(decision), patterns=compiled, clause=clause)
        made.add(case)
    return made


def cases_of_one(
    reader: StoreReader, decision: Record, expected: Mapping[str, str], source: Record, patterns: Sequence[str]
) -> Made:
    """Return the case of one decision, with what its user expects."""
    made = Made()
    unknown = sorted(set(expected) - {str(each.get("clause")) for each in decision.get("findings") or ()})
    if unknown:
        raise click.BadParameter(f"the decision has no finding about {unknown[0]!r}.", param_hint="--expect")
    whole = {**_source(decision), **source}
    made.add(make_case(reader, decision, expected=expected, source=whole, patterns=_compiled(patterns)))
    return made


def cases_of_incident(reader: StoreReader, incident: Incident, limit: int, patterns: Sequence[str]) -> Made:
    """Return the cases of the first violating calls of an incident, so that the incident leaves a regression test."""
    made, compiled = Made(), _compiled(patterns)
    calls = reader.clause_calls(incident.clause, incident.since_unix_nano, incident.ended_unix_nano)
    violating = (call.decision_id for call in calls if call.outcome == Outcome.VIOLATED.value)
    for decision_id in list(islice(violating, limit)):
        decision = reader.decision(decision_id)
        source = {**_source(decision), "kind": "incident", "id": incident.id}
        expected = {incident.clause: Outcome.VIOLATED.value}
        made.add(make_case(reader, decision, expected=expected, source=source, patterns=compiled))
    return made


def cases_of_reviews(reader: StoreReader, db: str | None, wanted: Filter, patterns: Sequence[str]) -> Made:
    """Return the cases of decisions that people ruled on: the outcome of a review is what is expected."""
    by_decision: dict[str, list[ReviewTask]] = {}
    for task in _ruled_tasks(db, wanted):
        by_decision.setdefault(task.decision_id, []).append(task)
    made, compiled = Made(), _compiled(patterns)
    for decision_id, tasks in list(by_decision.items())[: wanted.limit]:
        decision = reader.decision(decision_id)
        expected = {task.clause: str(task.ruled_outcome) for task in tasks}
        source = _source(decision) | {
            "kind": "review",
            "id": tasks[0].id,
            "rulings": sum(len(t.ruled_by) for t in tasks),
        }
        made.add(make_case(reader, decision, expected=expected, source=source, patterns=compiled))
    return made


def _ruled_tasks(db: str | None, wanted: Filter) -> list[ReviewTask]:
    queue = ReviewQueue(db)
    try:
        tasks = ruled_tasks(queue, ReviewFilter(ReviewState.RULED, wanted.clause, wanted.service))
        return [
            task
            for task in tasks
            if task.ruled_outcome is not None
            and task.ruled_outcome == (wanted.outcome or task.ruled_outcome)
            and task.opened_unix_nano >= (wanted.since_unix_nano or 0)
        ]
    finally:
        queue.close()


def print_made(made: Made, dataset: Dataset | None) -> None:
    """Say what was made, and of how many decisions no case could be."""
    out = console()
    for reason, count in sorted(made.refused.items()):
        out.print(Text(f"{plural(count, 'decision')} made no case: {WORDS.get(reason, clean(reason))}.", "yellow"))
    if dataset is None:
        out.print(Text("No case was made; nothing is written."))
        return
    redacted = Counter[str]()
    for case in made.cases:
        redacted.update(case.source.get("redactions") or {})
    words = ", ".join(f"{label} {count}" for label, count in sorted(redacted.items())) or "nothing"
    words_of_file = f"{plural(len(made.cases), 'case')} made, {len(dataset.cases)} in {dataset.source}."
    out.print(Text(words_of_file), soft_wrap=True)
    out.print(Text(f"Redacted: {words}. Read the texts before you share them: names of people are not found.", "dim"))
    out.print(Text(dataset.digest, "dim"))


def _source(decision: Record) -> dict[str, Any]:
    service = (decision.get("service") or {}).get("name")
    return {"kind": "decision", "decision": decision["id"], **({} if service is None else {"service": service})}


def _compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(each) for each in patterns]
    except re.error as error:
        raise click.BadParameter(f"invalid pattern: {error}.", param_hint="--redact") from error
