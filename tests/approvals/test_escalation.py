"""In enforce mode a call that a policy escalates waits for people, where somebody is there to be asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from judged import SPEC
from unconfigured import unconfigured

import specspan
from specspan.approvals.approval_request import ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.sqlite import Filter, Reader
from specspan.stores.people import Person, Role

APA = Person("apa", Role.APPROVER)
POLICY = """spec: desk.md
mode: enforce
clauses:
  be_kind:
    action: escalate
    checks:
      - pattern: {stage: output, any: ['fool']}
  protect_privacy:
    action: redact
    checks:
      - pattern: {stage: output, any: ['123-45']}
"""
TOOLS = """spec: desk.md
mode: enforce
clauses:
  be_kind:
    action: escalate
    checks:
      - tools: {allow: [refund], limits: {refund: {amount: {max: 50}}}}
"""


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path):
        Path("desk.md").write_text(SPEC, encoding="utf-8")
        yield


def configure(policy: str = POLICY) -> None:
    """Put a policy into force."""
    Path("policy.yaml").write_text(policy, encoding="utf-8")
    specspan.configure("policy.yaml", db="specspan.db")


@specspan.observe(model="parrot-1", provider="local")
def say(text: str) -> str:
    """Return the text, as a model would."""
    return text


@specspan.observe(model="parrot-1", provider="local")
async def say_async(text: str) -> str:
    """Return the text, as a model would."""
    return text


def settle(act: Callable[[ApprovalStore, str], object], count: int = 1) -> threading.Thread:
    """Have a person act on the next approvals that wait."""

    def run() -> None:
        store, left, deadline_s = ApprovalStore("specspan.db"), count, time.monotonic() + 20
        while left and time.monotonic() < deadline_s:
            for each in store.list(ApprovalState.WAITING).approvals:
                act(store, each.id)
                left -= 1
            threading.Event().wait(0.01)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def decided() -> tuple[str, str | None]:
    """Return action and would-be action of the only decision."""
    assert specspan.force_flush(10)
    with Reader("specspan.db") as reader:
        (decision,) = reader.decisions(Filter(limit=5))
    return decision["action"], decision["would"]


def test_an_approved_call_goes_on_and_the_rest_of_the_policy_holds() -> None:
    """What people approve is handed over, and a redaction of another clause is made all the same."""
    configure()
    person = settle(lambda store, id_: store.approve(id_, APA))
    with specspan.workflow("desk"), specspan.approval(timeout_s=20):
        assert say("You fool, 123-45.") == "You fool, [redacted:pattern]."
    person.join()
    assert decided() == ("redact", "escalate")
    (asked,) = ApprovalStore("specspan.db").list().approvals
    assert (asked.kind, asked.name, asked.clause, asked.state) == ("call", "parrot-1", "be_kind", ApprovalState.USED)
    assert "arguments" not in asked.detail, "no content is recorded unless it is asked for"
    assert asked.trace_id is not None


def test_a_denied_call_is_stopped() -> None:
    """It is blocked, as it is without anybody to ask."""
    configure()
    person = settle(lambda store, id_: store.deny(id_, APA))
    with specspan.approval(timeout_s=20), pytest.raises(specspan.Blocked):
        say("You fool.")
    person.join()
    with pytest.raises(specspan.Blocked):
        say("You fool.")
    assert len(ApprovalStore("specspan.db").list().approvals) == 1


def test_awaited_calls_wait_beside_one_another() -> None:
    """The event loop goes on while they wait; each call has an approval of its own."""
    configure()
    person = settle(lambda store, id_: store.approve(id_, APA), 5)

    async def main() -> list[str]:
        async with specspan.approval(timeout_s=20):
            return await asyncio.gather(*(say_async(f"You fool {number}.") for number in range(5)))

    assert asyncio.run(main()) == [f"You fool {number}." for number in range(5)]
    person.join()


def test_a_tool_call_beyond_its_limits_waits() -> None:
    """The tool runs once it is approved, with exactly the arguments that were."""
    configure(TOOLS)
    ran = []
    person = settle(lambda store, id_: store.approve(id_, APA))
    with specspan.approval(timeout_s=20, record_content=True):
        with specspan.tool_call("refund", {"amount": 20}):
            ran.append(20)
        with specspan.tool_call("refund", {"amount": 120}):
            ran.append(120)
    person.join()
    assert ran == [20, 120]
    (asked,) = ApprovalStore("specspan.db").list().approvals
    assert (asked.kind, asked.name, asked.detail["arguments"]) == ("tool", "refund", {"amount": 120})


def test_where_nobody_can_be_asked_the_call_is_stopped(tmp_path: Path) -> None:
    """A store that cannot be written approves nothing, and raises nothing but what the policy asks for."""
    configure()
    with specspan.approval(db=tmp_path), pytest.raises(specspan.Blocked):
        say("You fool.")


def test_blocks_may_be_nested_and_shared() -> None:
    """The innermost block holds; after it the outer one does, also where one object is used by several tasks."""
    configure()
    shared = specspan.approval(timeout_s=0.05)

    async def one() -> None:
        with shared:
            await asyncio.sleep(0)
            with specspan.approval(timeout_s=0.05, default="allow"):
                assert await say_async("You fool.") == "You fool."
            with pytest.raises(specspan.Blocked):
                await say_async("You fool.")

    async def main() -> None:
        await asyncio.gather(*(one() for _ in range(3)))

    asyncio.run(main())
