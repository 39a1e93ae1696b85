"""Console in a real Chromium: rulings by the keyboard, accessibility, no scripts, hostile text, live updates."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from backends import program
from decision_makers import decision_record, write_call
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

import specspan
from specspan.approvals.approval_store import ApprovalStore
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, ReviewState
from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter
from specspan.stores.people import Person, Role

PAGES = (
    *("/", "/traces", "/traces?verdict=violated", "/spec", "/reviews", "/reviews/agreement"),
    *("/approvals", "/policy", "/audit"),
)
WIDTHS = (1440, 390)
SCHEMES = ("light", "dark")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
POLICY = Path(__file__).parents[2] / "src" / "specspan" / "demo" / "material" / "policy.yaml"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this module."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(program("chromium")), args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def served(db: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Run `specspan console` on a store; yield its origin, and the address that it prints."""
    command = [Path(sys.executable).with_name("specspan"), "console", "--db", db, "--port", "0", *options]
    process = subprocess.Popen([str(each) for each in command], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.search(r"http://\S+", line)
        assert address, line
        yield address[0].partition("/enter")[0], address[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


@contextmanager
def visitor(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """Open a window in which somebody has come in. What the console of the browser says is an error fails the test."""
    context: BrowserContext = browser.new_context(**options)
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    yield page
    context.close()
    assert errors == []


def ask_for_reviews(db: Path, number: int) -> None:
    """Open tasks about the demo's calls."""
    queue = ReviewQueue(str(db))
    with Reader(db) as reader:
        findings = [
            (record["id"], each) for record in reader.decisions(Filter(limit=50)) for each in record["findings"]
        ]
    for decision_id, finding in [pair for pair in findings if pair[1]["outcome"] == "complied"][:number]:
        queue.open(decision_id, finding["clause"], by=Person("ada", Role.REVIEWER))
    queue.close()


def test_ten_rulings_with_the_keyboard_alone(browser: Browser, demo_db: Path) -> None:
    """Confirm, overrule and cannot say, each with a reason, from one task to the next, without a mouse."""
    ask_for_reviews(demo_db, 10)
    queue = ReviewQueue(str(demo_db))
    total = len(queue.list(ReviewFilter(state=ReviewState.OPEN), limit=100).tasks)
    with served(demo_db) as (origin, address), visitor(browser, address) as page:
        page.goto(f"{origin}/reviews")
        page.focus("#begin")
        page.keyboard.press("Enter")
        page.wait_for_selector("#ruling")
        page.keyboard.press("j")
        page.wait_for_load_state()
        page.keyboard.press("k")
        page.wait_for_load_state()
        for number in range(10):
            page.wait_for_selector("#ruling")
            before = page.url.partition("?")[0]
            page.keyboard.press("cou"[number % 3])
            if number % 3 == 1:
                page.keyboard.press("Enter")  # the outcome in its place is chosen; on to the reason
            page.keyboard.type(f"reason j k c {number}")
            page.keyboard.press("Enter")
            page.wait_for_url(re.compile(f"^(?!{re.escape(before)})"))
    ruled = queue.list(ReviewFilter(state=ReviewState.RULED), limit=100).tasks
    assert len(ruled) == 10
    assert queue.counts()[ReviewState.OPEN] == total - 10
    rulings = [queue.rulings(task.id, task.ruled_by[0])[0] for task in ruled]
    assert sorted(ruling.reason for ruling in rulings) == [f"reason j k c {number}" for number in range(10)]
    kinds = [ruling.kind.value for ruling in rulings]
    assert (kinds.count("confirm"), kinds.count("overrule"), kinds.count("cannot_say")) == (4, 3, 3)
    queue.close()


def ask_for_approval(db: Path, order: int) -> str:
    """Ask for the approval of a refund, and return its id."""
    way = specspan.approval(timeout_s=3_600, db=db)
    arguments = {"order": order, "amount": 120, "note": "the customer waits \u202e since Monday"}
    reason = "amounts above 100 need a person"
    return way.request("refund", arguments, key=f"job-{order}", clause="check_first", reason=reason).id


@pytest.mark.thorough
def test_approvals_with_the_keyboard_alone(browser: Browser, demo_db: Path) -> None:
    """One is approved, the next one denied, without a mouse; the list follows the store without a reload."""
    second, first = (ask_for_approval(demo_db, order) for order in (1, 2))
    with served(demo_db) as (origin, address), visitor(browser, address) as page:
        page.goto(f"{origin}/approvals")
        page.focus("tbody a")
        page.keyboard.press("Enter")
        for key in "ad":
            page.wait_for_selector("#ruling")
            before = page.url
            page.keyboard.press(key)
            page.keyboard.type(f"because of a d {key}")
            page.keyboard.press("Enter")
            page.wait_for_url(re.compile(f"^(?!{re.escape(before.partition('?')[0])})"))
        page.wait_for_selector("text=Nothing waits")
        third = ask_for_approval(demo_db, 3)
        page.wait_for_selector(f"#a-{third}", timeout=20_000)
    store = ApprovalStore(demo_db)
    assert [store.get(each).state.value for each in (first, second)] == ["approved", "denied"]
    assert store.history(second)[-1].detail == {"reason": "because of a d d"}


@pytest.mark.thorough
def test_every_page_is_accessible(browser: Browser, demo_db: Path, tmp_path: Path) -> None:
    """No rule of axe-core for WCAG 2.2 AA is violated, on wide and narrow screens, light and dark."""
    ask_for_reviews(demo_db, 3)
    pictures = Path(os.environ.get("SPECSPAN_SCREENSHOTS") or tmp_path)
    other = tmp_path / "other.md"
    material = (POLICY.parent / "support_desk.md").read_text(encoding="utf-8")
    other.write_text(
        material.replace("2026-11-01", "2026-12-01").replace("does not guarantee a day", "guarantees no day")
    )
    axe, found = Axe(), {}
    with (
        served(demo_db, "--policy", str(POLICY), "--spec", str(other)) as (origin, address),
        visitor(browser, address) as entry,
    ):
        state = entry.context.storage_state()
        with Reader(demo_db) as reader:
            trace = reader.traces(Filter(clause="keep_people_private", outcome="violated"))[0].trace_id
        task = ReviewQueue(str(demo_db)).list(limit=1).tasks[0].id
        approval = ask_for_approval(demo_db, 1)
        ApprovalStore(demo_db).deny(ask_for_approval(demo_db, 2), Person("apa", Role.APPROVER), reason="too much")
        entry.goto(f"{origin}/spec")
        digests = entry.eval_on_selector_all("select[name=digest] option", "options => options.map(each => each.value)")
        compared = f"/spec?digest={digests[1]}&old={digests[0]}"
        for width in WIDTHS:
            for scheme in SCHEMES:
                screen: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
                context = browser.new_context(storage_state=state, **screen)
                page = context.new_page()
                one = (f"/traces/{trace}", f"/reviews/{task}", f"/approvals/{approval}")
                for path in (*PAGES, *one, compared, "/nowhere"):
                    page.goto(origin + path)
                    results = axe.run(
                        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
                    )
                    name = re.sub(r"[^a-z]+", "-", re.split(rf"\?digest|{trace}|{task}|{approval}", path)[0])
                    page.screenshot(path=pictures / f"console{name}{width}-{scheme}.png", full_page=True)
                    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
                    if results.violations_count:
                        found[path, width, scheme] = results.generate_report()
                context.close()
    assert found == {}


@pytest.mark.thorough
def test_pages_are_read_without_scripts(browser: Browser, demo_db: Path) -> None:
    """The figures, the list, the call with its marks and the form for a ruling are there without JavaScript."""
    ask_for_reviews(demo_db, 1)
    with served(demo_db) as (origin, address), visitor(browser, address, java_script_enabled=False) as page:
        assert "Model calls decided" in page.inner_text("main")
        assert page.is_visible("details.figures table")
        page.goto(f"{origin}/traces?clause=keep_people_private&outcome=violated")
        page.click("tbody a")
        assert page.inner_text("mark").startswith("lives at")
        page.goto(f"{origin}/reviews?state=open")
        page.click("tbody a")
        page.check("[value=cannot_say]")
        page.fill("[name=reason]", "no script ran")
        page.click("#ruling button")
        page.goto(f"{origin}/reviews?state=ruled")
        assert page.locator("tbody tr").count() == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text", ["<script>document.title='owned'</script>", "<img src=x onerror=\"document.title='owned'\">"]
)
def test_hostile_text_does_nothing(text: str, browser: Browser, tmp_path: Path) -> None:
    """Neither is it run, nor does the browser have to refuse it: nothing of it is markup."""
    trace_id = write_call(tmp_path / "x.db", text.replace("OWNED", "document.title='owned'"))
    with served(tmp_path / "x.db") as (origin, address), visitor(browser, address) as page:
        for path in ("/", "/traces", "/traces?verdict=violated", f"/traces/{trace_id}", "/reviews", "/policy"):
            page.goto(origin + path)
            assert "owned" not in page.title()


@pytest.mark.thorough
def test_the_overview_follows_the_store(browser: Browser, demo_db: Path, tmp_path: Path) -> None:
    """A decision that is written while the page is open is counted without a reload."""
    with served(demo_db) as (_, address), visitor(browser, address) as page:
        page.wait_for_selector("#live:not([hidden])")
        page.wait_for_timeout(2500)  # the first look, against which later ones are compared
        exporter = SQLiteDecisionExporter(demo_db)
        exporter.export([decision_record("late", time.time_ns())])
        exporter.shutdown()
        page.wait_for_selector(".tiles b:text-is('10')", timeout=15_000)
        assert page.locator(".u-wrap canvas").count() == 1
