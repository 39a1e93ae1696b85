"""Labels from reviews: answers of which reviewers said whether they violate a clause, for the calibration of judges."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from specspan.calibration.labels import LabelledCall, Labels
from specspan.call import Message, Text, ToolCall
from specspan.decision import Outcome, ReviewCause
from specspan.errors import OversightRefused
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RULED_OUTCOMES, RuledTask

_DRAWN = (ReviewCause.SAMPLED, ReviewCause.REQUESTED)
_ROLES = ("system", "developer", "user", "assistant", "tool")


def labels_of_reviews(queue: ReviewQueue, clause: str | None = None, *, drawn_only: bool = True) -> Labels:
    """Return the labels that reviewers gave, each with its call.

    A task is left out whose outcome they left open, or of whose call the content is not recorded.

    Args:
        queue: the reviews.
        clause: only labels of this clause.
        drawn_only: True to leave out tasks that were opened for what a check found alone: among them a judge is right
            more rarely, or more often, than among all calls, and the calibration would be of no use for rates.
    """
    found = list(_labelled(queue, clause, drawn_only=drawn_only))
    digest = hashlib.sha256()
    for label in found:
        digest.update(f"{label.place} {label.outcome.value}\n".encode())
    return Labels(f"reviews of {queue.name}", f"sha256:{digest.hexdigest()}", found)


def _labelled(queue: ReviewQueue, clause: str | None, *, drawn_only: bool) -> Iterator[LabelledCall]:
    words = {outcome.value for outcome in RULED_OUTCOMES}
    for each in queue.ruled(clause):
        task = each.task
        if task.ruled_outcome not in words or (drawn_only and not set(task.causes) & set(_DRAWN)):
            continue
        try:
            call = queue.decision(task).call
        except OversightRefused:  # it was pruned
            continue
        if call is not None:
            yield LabelledCall(task.clause, call, Outcome(task.ruled_outcome), f"review {task.id}")


def label_line(label: LabelledCall) -> dict[str, Any]:
    """Return a label as a line of a file of labels (docs/calibration.md)."""
    messages = [_message(message) for message in (*label.call.input, *label.call.output)]
    return {"clause": label.clause, "label": label.outcome.value, "messages": messages}


def ruling_lines(tasks: Sequence[RuledTask]) -> Iterator[dict[str, Any]]:
    """Yield each ruling with its task, without the call's content."""
    for each in tasks:
        for ruling in each.rulings:
            yield {
                "task": each.task.id,
                "decision": each.task.decision_id,
                "clause": each.task.clause,
                "service": each.task.service,
                "causes": [cause.value for cause in each.task.causes],
                "found": each.task.outcome,
                "ruled": each.task.ruled_outcome,
                "ruling": {
                    "id": ruling.id,
                    "reviewer": ruling.reviewer,
                    "kind": ruling.kind.value,
                    "outcome": ruling.outcome,
                    "reason": ruling.reason,
                    "time_unix_nano": ruling.time_unix_nano,
                },
            }


def _message(message: Message) -> Mapping[str, Any]:
    texts = [part.content for part in message.parts if isinstance(part, Text)]
    calls = [
        {"name": part.name, "arguments": part.arguments if isinstance(part.arguments, dict) else {}}
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    line: dict[str, Any] = {"role": message.role if message.role in _ROLES else "user", "content": "\n".join(texts)}
    return line | {"tool_calls": calls} if calls else line
