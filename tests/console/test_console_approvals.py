"""Approvals in the console: who may answer, for exactly what was shown, once, and on record."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backends import eventually
from console_visits import ORIGIN, Console, words_of
from decision_makers import decision_record
from starlette.testclient import TestClient

import specspan
from specspan.approvals.approval_request import ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.console.access.trusted_proxy import TrustedProxy, parse_network
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingKind
from specspan.sqlite import SQLiteDecisionExporter
from specspan.stores.people import Person, Role

ROLES = {"readers": Role.VIEWER, "raters": Role.REVIEWER, "deciders": Role.APPROVER, "owners": Role.ADMIN}
ARGUMENTS = {"order": 7, "note": "<script>alert(1)</script>\u202e"}


@pytest.fixture
def shared(tmp_path: Path, open_on: Callable[..., Console]) -> tuple[Console, str]:
    """A console behind a proxy, and the address of its store."""
    db = str(tmp_path / "own.db")
    network = parse_network("10.0.0.5")
    proxy = TrustedProxy([network], "X-Forwarded-User", "X-Forwarded-Groups", ROLES)
    return open_on(db, authentication=proxy), db


def as_(console: Console, name: str, group: str) -> TestClient:
    """Return the browser of somebody whom the proxy names."""
    headers = {"x-forwarded-user": name, "x-forwarded-groups": group}
    return TestClient(console.client.app, base_url=ORIGIN, headers=headers, client=("10.0.0.5", 1))


def ask(db: str, key: str = "one", **options: Any) -> str:
    """Ask for an approval, and return its id."""
    return specspan.approval(timeout_s=600, db=db).request("refund", ARGUMENTS, key=key, **options).id


def form_of(page: str, **fields: str) -> dict[str, str]:
    """Return the hidden fields of a page's form, and others."""
    return dict(re.findall(r'name="(form_token|event_id|digest)" value="([^"]+)"', page)) | fields


def answer(browser: TestClient, approval_id: str, **fields: str) -> Any:
    """Answer by the form of an approval's page."""
    page = browser.get(f"/approvals/{approval_id}").text
    return browser.post(f"/approvals/{approval_id}/settle", data=form_of(page, **fields), follow_redirects=False)


def test_an_approver_answers_what_waits(shared: tuple[Console, str]) -> None:
    """The list leads to it, its page shows what is asked, and the answer leads to what waits next."""
    console, db = shared
    approval_id, other = ask(db), ask(db, "two", record_arguments=False)
    browser = as_(console, "apa", "deciders")
    assert browser.get("/approvals").text.count('href="/approvals/') == 2
    page = browser.get(f"/approvals/{approval_id}").text
    assert "<script>alert" not in page
    assert "U+202E" in page
    assert "were not recorded" in browser.get(f"/approvals/{other}").text
    response = answer(browser, approval_id, kind="approve", reason="he is right")
    assert (response.status_code, response.headers["location"]) == (303, f"/approvals/{other}?settled={approval_id}")
    assert "he is right" in browser.get(f"/approvals/{approval_id}").text
    assert answer(browser, other, kind="deny").headers["location"].startswith("/approvals?")
    store = ApprovalStore(db)
    found = [store.get(each) for each in (approval_id, other)]
    assert [(each.state, each.settled_by) for each in found] == [
        (ApprovalState.APPROVED, "apa"),
        (ApprovalState.DENIED, "apa"),
    ]
    assert "Nothing waits" in browser.get("/approvals").text
    assert approval_id in browser.get("/approvals?state=approved").text


def test_an_answer_needs_the_role_and_the_form(shared: tuple[Console, str]) -> None:
    """A reviewer reads, and their form is refused; so is one of another person, and one without its number."""
    console, db = shared
    approval_id = ask(db)
    path = f"/approvals/{approval_id}/settle"
    approver, reviewer, admin = (as_(console, *who) for who in (("apa", "deciders"), ("r", "raters"), ("a", "owners")))
    assert "needs the role approver" in reviewer.get(f"/approvals/{approval_id}").text
    form = form_of(approver.get(f"/approvals/{approval_id}").text, kind="approve")
    assert reviewer.post(path, data=form).status_code == 403
    assert admin.post(path, data=form).status_code == 403
    assert approver.post(path, data={**form, "form_token": ""}).status_code == 403
    assert approver.post(path, data={**form, "kind": "both"}).status_code == 409
    assert ApprovalStore(db).get(approval_id).state is ApprovalState.WAITING
    assert approver.get("/approvals/nobody").status_code == 404


@pytest.mark.parametrize("digest", ["", "sha256:0"])
def test_an_approval_is_of_what_the_page_showed(digest: str, shared: tuple[Console, str]) -> None:
    """A form with another digest than that of what waits approves nothing."""
    console, db = shared
    approval_id = ask(db)
    response = answer(as_(console, "apa", "deciders"), approval_id, kind="approve", digest=digest)
    assert response.status_code == 409
    assert "about something else" in response.text
    assert ApprovalStore(db).get(approval_id).state is ApprovalState.WAITING


def test_the_second_answer_is_told_of_the_first(shared: tuple[Console, str]) -> None:
    """Two people have the page open; one form that is sent twice is one answer."""
    console, db = shared
    approval_id = ask(db)
    first, second = as_(console, "apa", "deciders"), as_(console, "ann", "owners")
    path = f"/approvals/{approval_id}/settle"
    forms = [form_of(each.get(f"/approvals/{approval_id}").text, kind="approve") for each in (first, second)]
    assert [first.post(path, data=forms[0], follow_redirects=False).status_code for _ in range(2)] == [303, 303]
    late = second.post(path, data={**forms[1], "kind": "deny"})
    assert late.status_code == 409
    assert "&#39;apa&#39; approved" in late.text
    kinds = [event.kind for event in ApprovalStore(db).history(approval_id)]
    assert kinds == ["requested", "approved"]


def test_who_read_the_arguments_is_on_record(shared: tuple[Console, str]) -> None:
    """Arguments are content: each view of them is written down before they are shown."""
    console, db = shared
    approval_id = ask(db)
    as_(console, "vera", "readers").get(f"/approvals/{approval_id}")
    audit = words_of(as_(console, "ann", "owners").get("/audit").text)
    assert "vera" in audit
    assert "approval" in audit


def test_agreement_of_reviewers_has_a_page(shared: tuple[Console, str]) -> None:
    """Without rulings it says so; it is for those who rule."""
    console, db = shared
    ask(db)
    rater = as_(console, "r", "raters")
    eventually(lambda: "No task is ruled yet" in rater.get("/reviews/agreement").text, 60, "an answer")
    assert as_(console, "vera", "readers").get("/reviews/agreement").status_code == 403


def test_agreement_tells_reviewers_apart(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """Coefficients with their intervals, for all clauses and for each, and each reviewer's own rulings."""
    db = str(tmp_path / "reviewed.db")
    ana, ben = Person("ana"), Person("ben")
    reviewed(db, ana, ben)
    console = open_on(db)
    eventually(lambda: "All clauses" in console.text("/reviews/agreement"), 60, "coefficients")
    page = console.text("/reviews/agreement")
    assert "ana and ben" in page
    assert "4 tasks with two rulings" in page


def reviewed(db: str, *people: Person) -> None:
    """Have two people rule on four decisions, one of which they do not agree on."""
    exporter = SQLiteDecisionExporter(db)
    exporter.export([decision_record(f"d-{number}", 10**18 + number) for number in range(4)])
    exporter.shutdown()
    queue = ReviewQueue(db)
    for number in range(4):
        task = queue.open(f"d-{number}", "privacy", by=people[0], wanted_rulings=2)
        for at, person in enumerate(people):
            is_kept = number == 0 or (number == 1 and at == 1)
            kind = RulingKind.OVERRULE if is_kept else RulingKind.CONFIRM
            queue.rule(task.id, person, kind, outcome="complied" if is_kept else None, reason="so it is")
        if number == 1:
            queue.rule(task.id, Person("caro"), RulingKind.CONFIRM, reason="so it is")
    queue.close()
