"""Approvals: what waits for a person, the page on which one approves or denies it, and what became of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.responses import RedirectResponse, Response

from specspan.approvals.approval_request import ApprovalRequest, ApprovalState
from specspan.console.inert_text import shown_text
from specspan.console.shown_call import sentence
from specspan.console.visit import NavigationEntry, Visit, form_route, page_route
from specspan.errors import OversightRefused
from specspan.stores.people import Role

_PAGE_SIZE = 50
_CHOICES = {"approve": True, "deny": False}


def approvals(visit: Visit) -> Response:
    """Return the list, of what waits unless another state is asked for."""
    word = visit.request.query_params.get("state", ApprovalState.WAITING.value)
    state = next((each for each in ApprovalState if each.value == word), None)
    after = visit.parameter("after") or None
    page = visit.console.approvals.list(state, after=after, limit=_PAGE_SIZE)
    return visit.page(
        "approvals.html",
        approvals=page.approvals,
        after=page.next_key,
        is_first=after is None,
        state="" if state is None else state.value,
        states=list(ApprovalState),
        now_ns=time.time_ns(),
    )


def approval(visit: Visit) -> Response:
    """Return the page of one approval."""
    return _approval_page(visit, str(visit.request.path_params["approval_id"]))


def settle(visit: Visit, fields: Mapping[str, str]) -> Response:
    """Approve or deny what the person was shown, and lead to what waits next."""
    approval_id = str(visit.request.path_params["approval_id"])
    is_approved = _CHOICES.get(fields.get("kind", ""))
    if is_approved is None:
        return _approval_page(visit, approval_id, "Choose what you say: approve or deny.", fields)
    store, reason, event_id = visit.console.approvals, fields.get("reason", "").strip(), fields.get("event_id") or None
    try:
        if is_approved:
            digest = fields.get("digest", "")  # of what the page showed: nothing else is approved by it
            store.approve(approval_id, visit.person, reason=reason, digest=digest, event_id=event_id)
        else:
            store.deny(approval_id, visit.person, reason=reason, event_id=event_id)
    except OversightRefused as refusal:
        if refusal.code == "role" or refusal.code.startswith("unknown"):
            raise
        return _approval_page(visit, approval_id, f"{sentence(refusal.problem)} {refusal.remedy}", fields)
    waiting = store.list(ApprovalState.WAITING, limit=1).approvals
    target = f"/approvals/{waiting[0].id}" if waiting else "/approvals"
    return RedirectResponse(f"{target}?settled={approval_id}", 303)


def _approval_page(
    visit: Visit, approval_id: str, problem: str = "", fields: Mapping[str, str] | None = None
) -> Response:
    store = visit.console.approvals
    found = store.get(approval_id)
    arguments = _arguments(found)
    if arguments is not None:
        visit.record_view("approval", {"approval": found.id, "trace_id": found.trace_id})
    may_settle = visit.person.role.rank >= Role.APPROVER.rank and found.state is ApprovalState.WAITING
    context: dict[str, Any] = {
        "approval": found,
        "arguments": arguments,
        "history": store.history(found.id),
        "may_settle": may_settle,
        "problem": problem,
        "fields": fields or {},
        "event_id": (fields or {}).get("event_id") or str(uuid4()),
        "settled": visit.parameter("settled") if not fields else "",
        "now_ns": time.time_ns(),
    }
    return visit.page("approval.html", 409 if problem else 200, **context)


def _arguments(found: ApprovalRequest) -> Any:
    """Return the arguments as inert text; None where only their digest was recorded."""
    if "arguments" not in found.detail:
        return None
    return shown_text(json.dumps(found.detail["arguments"], ensure_ascii=False, indent=2))


NAVIGATION = NavigationEntry(45, "/approvals", "Approvals")
ROUTES = [
    page_route("/approvals", approvals),
    page_route("/approvals/{approval_id}", approval),
    form_route("/approvals/{approval_id}/settle", settle, Role.APPROVER),
]
