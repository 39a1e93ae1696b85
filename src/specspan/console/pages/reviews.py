"""Reviews: the queue, the page on which a person rules with the keyboard, the history of a task, and the export."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from starlette.responses import RedirectResponse, Response

from specspan.console.call_content import read_content
from specspan.console.shown_call import sentence, show_clause
from specspan.console.visit import NavigationEntry, Visit, form_route, page_route
from specspan.decision import ReviewCause
from specspan.errors import MissingDependency, OversightRefused
from specspan.review.agreement import Agreement, measure_agreement
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import (
    RULED_OUTCOMES,
    ReviewFilter,
    ReviewState,
    ReviewTask,
    RulingKind,
)
from specspan.sqlite.model import StoredSpan
from specspan.stores.people import Role

_PAGE_SIZE = 50
_NEIGHBOURS = 200
"""Tasks of the queue among which a page looks for the next and the one before."""
_MOST_EXPORTED = 10_000
_AGREEMENT_MAX_AGE_S = 60.0


def reviews(visit: Visit) -> Response:
    """Return the page of the queue."""
    queue = visit.console.reviews
    chosen = {name: visit.parameter(name) for name in ("state", "clause", "service", "cause")}
    wanted = ReviewFilter(
        state=_one_of(ReviewState, chosen["state"]),
        clause=chosen["clause"] or None,
        service=chosen["service"] or None,
        cause=_one_of(ReviewCause, chosen["cause"]),
    )
    page = queue.list(wanted, after=visit.parameter("after") or None, limit=_PAGE_SIZE)
    mine = queue.list(ReviewFilter(for_reviewer=visit.person.name), oldest_first=True, limit=1)
    return visit.page(
        "reviews.html",
        counts=queue.counts(),
        tasks=page.tasks,
        after=page.next_key,
        chosen=chosen,
        states=list(ReviewState),
        causes=list(ReviewCause),
        first=mine.tasks[0] if mine.tasks else None,
        may_rule=visit.person.role.rank >= Role.REVIEWER.rank,
    )


def review(visit: Visit) -> Response:
    """Return the page on which a task is ruled on."""
    return _task_page(visit, str(visit.request.path_params["task_id"]))


def rule(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Rule on a task, and lead to the next one."""
    task_id = str(visit.request.path_params["task_id"])
    following = _neighbours(visit, task_id)[1]
    try:
        kind = RulingKind(fields.get("kind", ""))
    except ValueError:
        return _task_page(visit, task_id, "Choose what you say: confirm, overrule or cannot say.", fields)
    outcome = fields.get("outcome") or None if kind is RulingKind.OVERRULE else None
    reason = fields.get("reason", "").strip()
    ruling_id = fields.get("ruling_id") or None
    try:
        visit.console.reviews.rule(task_id, visit.person, kind, reason=reason, outcome=outcome, ruling_id=ruling_id)
    except OversightRefused as refusal:
        if refusal.code == "role" or refusal.code.startswith("unknown"):
            raise
        return _task_page(visit, task_id, f"{sentence(refusal.problem)} {refusal.remedy}", fields)
    target = f"/reviews/{following}" if following else "/reviews"
    return RedirectResponse(f"{target}?ruled={task_id}", 303)


def claim(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """Keep a task from other reviewers for a while."""
    task = visit.console.reviews.claim(str(visit.request.path_params["task_id"]), visit.person)
    return RedirectResponse(f"/reviews/{task.id}", 303)


def release(visit: Visit, _fields: Mapping[str, str]) -> Response:
    """Give a claimed task back to the queue."""
    task = visit.console.reviews.release(str(visit.request.path_params["task_id"]), visit.person)
    return RedirectResponse(f"/reviews/{task.id}", 303)


def ask(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Ask for a review of a clause of a decision."""
    task = visit.console.reviews.open(fields.get("decision_id", ""), fields.get("clause", ""), by=visit.person)
    return RedirectResponse(f"/reviews/{task.id}", 303)


def agreement(visit: Visit) -> Response:
    """Return the page of how far reviewers agree. Intervals take long, so that the page may have to be asked again."""
    queue = visit.console.reviews
    try:
        found = visit.console.slow_answers.get("agreement", _AGREEMENT_MAX_AGE_S, lambda: _agreement(queue))
    except MissingDependency as missing:
        return visit.page("agreement.html", found=(), problem=str(missing))
    return visit.page("agreement.html", found=found or (), problem="", is_being_made=found is None)


def _agreement(queue: ReviewQueue) -> Sequence[Agreement]:
    return measure_agreement(queue.ruled())


def export(visit: Visit) -> Response:
    """Return every ruled task with its rulings, a JSON object a line."""
    lines = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in _exported(visit))
    headers = {"content-disposition": 'attachment; filename="reviews.jsonl"'}
    return Response(lines, media_type="application/x-ndjson", headers=headers)


def _task_page(visit: Visit, task_id: str, problem: str = "", fields: Mapping[str, str] | None = None) -> Response:
    queue = visit.console.reviews
    task = queue.task(task_id)
    before, following = _neighbours(visit, task_id)
    context: dict[str, Any] = {
        "task": task,
        "before": before,
        "following": following,
        "problem": problem,
        "fields": fields or {},
        "ruled": visit.parameter("ruled") if not fields else "",
        "ruling_id": (fields or {}).get("ruling_id") or str(uuid4()),
        "outcomes": [outcome.value for outcome in RULED_OUTCOMES if outcome.value != task.outcome],
        "history": queue.history(task_id, visit.person.name),
        "may_rule": _may_rule(visit, task),
        "gone": "",
        "content": None,
        "findings": (),
        "decision": None,
    }
    try:
        decision = queue.decision(task)
    except OversightRefused as refusal:
        gone = f"{sentence(refusal.problem)} {refusal.remedy}"
        return visit.page("review.html", **(context | {"gone": gone, "may_rule": False, "clause": None}))
    span = _span_of(visit, decision.record)
    content = None if span is None else read_content(span, {**decision.record, "findings": decision.findings})
    if content is not None and content.is_recorded:
        visit.record_view("review", {"task": task.id, "trace_id": task.trace_id, "decisions": [task.decision_id]})
    clause = show_clause(task.clause, decision.record, visit.console.specs, decision.clause_record)
    shown = {"content": content, "findings": decision.findings, "decision": decision.record, "clause": clause}
    return visit.page("review.html", 409 if problem else 200, **(context | shown))


def _may_rule(visit: Visit, task: ReviewTask) -> bool:
    is_mine = task.claimed_by in (None, visit.person.name)
    is_open = task.state in (ReviewState.OPEN, ReviewState.CLAIMED)
    return (
        visit.person.role.rank >= Role.REVIEWER.rank and is_open and is_mine and visit.person.name not in task.ruled_by
    )


def _neighbours(visit: Visit, task_id: str) -> tuple[str | None, str | None]:
    """Return the tasks before and after one in the queue of this person, the oldest first."""
    wanted = ReviewFilter(for_reviewer=visit.person.name)
    ids = [task.id for task in visit.console.reviews.list(wanted, oldest_first=True, limit=_NEIGHBOURS).tasks]
    if task_id not in ids:
        return None, next(iter(ids), None)
    at = ids.index(task_id)
    others = [*ids[at + 1 :], *ids[:at]]  # after the last, those that were passed over
    return (ids[at - 1] if at else None), next(iter(others), None)


def _span_of(visit: Visit, record: Mapping[str, Any]) -> StoredSpan | None:
    spans = visit.reader.spans(str(record.get("trace_id"))) if record.get("trace_id") else []
    return next((span for span in spans if span.span_id == record.get("span_id")), None)


def _exported(visit: Visit) -> Iterator[dict[str, Any]]:
    queue, after, number = visit.console.reviews, None, 0
    while number < _MOST_EXPORTED:
        page = queue.list(ReviewFilter(state=ReviewState.RULED), after=after, limit=_NEIGHBOURS)
        for task in page.tasks:
            number += 1
            yield _exported_task(task, queue.rulings(task.id, visit.person.name))
        after = page.next_key
        if after is None:
            return


def _exported_task(task: ReviewTask, rulings: Sequence[Any]) -> dict[str, Any]:
    return {
        "task": task.id,
        "decision": task.decision_id,
        "clause": task.clause,
        "service": task.service,
        "found": task.outcome,
        "ruled": task.ruled_outcome,
        "causes": [cause.value for cause in task.causes],
        "rulings": [
            {
                "reviewer": ruling.reviewer,
                "kind": ruling.kind.value,
                "outcome": ruling.outcome,
                "reason": ruling.reason,
                "time_unix_nano": ruling.time_unix_nano,
            }
            for ruling in rulings
        ],
    }


def _one_of(kind: Any, word: str) -> Any:
    return next((each for each in kind if each.value == word), None)


NAVIGATION = NavigationEntry(40, "/reviews", "Reviews")
ROUTES = [
    page_route("/reviews", reviews),
    page_route("/reviews/export", export, Role.REVIEWER),
    page_route("/reviews/agreement", agreement, Role.REVIEWER),
    form_route("/reviews/ask", ask, Role.REVIEWER),
    page_route("/reviews/{task_id}", review),
    form_route("/reviews/{task_id}/rule", rule, Role.REVIEWER),
    form_route("/reviews/{task_id}/claim", claim, Role.REVIEWER),
    form_route("/reviews/{task_id}/release", release, Role.REVIEWER),
]
