"""Approvals are given once, for exactly what was asked, in time, and used once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import specspan
from specspan.approvals import approval_store
from specspan.approvals.approval_request import ApprovalState, request_digest
from specspan.approvals.approval_store import ApprovalStore
from specspan.errors import ConfigurationError, OversightRefused
from specspan.stores.people import Person, Role

APA, RUTH = Person("apa", Role.APPROVER), Person("ruth", Role.REVIEWER)
ARGUMENTS = {"order": 7, "amount": 120}


@contextmanager
def refusal(code: str) -> Iterator[None]:
    """Expect a refusal of a code."""
    with pytest.raises(OversightRefused) as caught:
        yield
    assert caught.value.code == code


def test_an_approval_is_used_once(db: str) -> None:
    """One caller may go ahead; whoever comes later may not."""
    pending = specspan.approval(db=db).request("refund", ARGUMENTS)
    store = ApprovalStore(db)
    store.approve(pending.id, APA, reason="a good customer")
    outcome = pending.wait()
    assert (outcome.is_approved, outcome.by) == (True, "apa")
    assert pending.wait() is outcome
    again = store.use(pending.id, pending.request.digest)
    assert (again.is_approved, again.state) == (False, ApprovalState.USED)
    pending.finish()
    assert [event.kind for event in store.history(pending.id)] == ["requested", "approved", "used", "done"]
    assert store.get(pending.id).detail == {"arguments": ARGUMENTS}


def test_who_waits_is_woken(db: str) -> None:
    """A thread and a coroutine wait until somebody approves and somebody denies."""
    ask, store = specspan.approval(db=db, timeout_s=60), ApprovalStore(db)
    one, two = ask.request("refund", ARGUMENTS), ask.request("refund", {"order": 8})
    settling = threading.Timer(0.05, lambda: (store.approve(one.id, APA), store.deny(two.id, APA)))
    settling.start()

    async def wait() -> bool:
        return (await two).is_approved

    assert one.wait().is_approved
    assert not asyncio.run(wait())
    assert two.outcome is not None
    assert (two.outcome.state, two.outcome.by) == (ApprovalState.DENIED, "apa")
    settling.join()


@pytest.mark.parametrize(("default", "is_approved"), [("deny", False), ("allow", True)])
def test_what_nobody_answers_is_decided_by_default(db: str, default: str, is_approved: bool) -> None:
    """It expires for good, and under ``allow`` one caller goes ahead."""
    pending = specspan.approval(db=db, timeout_s=0.05, default=default).request("refund")  # type: ignore[arg-type]
    outcome = pending.wait()
    assert (outcome.is_approved, outcome.state) == (is_approved, ApprovalState.EXPIRED)
    store = ApprovalStore(db)
    assert not store.use(pending.id, pending.request.digest).is_approved
    with refusal("already_settled" if is_approved else "expired"):
        store.approve(pending.id, APA)


def test_a_clock_that_is_behind_revives_nothing(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once anybody saw that an approval is over, nobody approves it, and an approval of late is not used."""
    ask, store = specspan.approval(db=db, timeout_s=3600), ApprovalStore(db)
    expired, late = ask.request("refund"), ask.request("refund")
    store.expire(expired.id)
    with refusal("expired"):
        store.approve(expired.id, APA)
    store.approve(late.id, APA)
    behind = approval_store._at
    monkeypatch.setattr(approval_store, "_at", lambda found, now_ns: behind(found, now_ns + 2 * 3600 * 10**9))
    assert not store.use(late.id, late.request.digest).is_approved
    monkeypatch.setattr(approval_store, "_at", behind)
    assert store.get(late.id).state is ApprovalState.EXPIRED
    assert not store.use(late.id, late.request.digest).is_approved


def test_an_approval_holds_for_exactly_what_was_asked(db: str) -> None:
    """Changed arguments need a new one, also under the same key."""
    ask, store = specspan.approval(db=db), ApprovalStore(db)
    pending = ask.request("refund", ARGUMENTS, key="job-31")
    with refusal("changed"):
        store.approve(pending.id, APA, digest=request_digest("tool", "refund", {"order": 7, "amount": 12_000}))
    store.approve(pending.id, APA, digest=pending.request.digest)
    with refusal("changed"):
        store.use(pending.id, request_digest("tool", "refund", {"order": 7, "amount": 12_000}, key="job-31"))
    other = ask.request("refund", {"order": 7, "amount": 12_000}, key="job-31")
    assert (other.id == pending.id, other.request.state) == (False, ApprovalState.WAITING)


def test_who_asks_again_finds_the_same_approval(db: str) -> None:
    """With a key there is one approval of one thing: it is answered once, and used once, whoever asks."""
    store = ApprovalStore(db)
    first = specspan.approval(db=db).request("refund", ARGUMENTS, key="job-31")
    store.approve(first.id, APA)
    again = specspan.approval(db=db).request("refund", ARGUMENTS, key="job-31")
    assert again.id == first.id
    assert again.wait().is_approved
    assert not specspan.approval(db=db).request("refund", ARGUMENTS, key="job-31").wait().is_approved
    resumed = specspan.approval(db=db).request("refund", ARGUMENTS, key="job-31", resumes=True)
    assert resumed.wait().is_approved, "it began and is not known to have ended"
    resumed.finish()
    assert not specspan.approval(db=db).request("refund", ARGUMENTS, key="job-31", resumes=True).wait().is_approved


def test_the_second_of_two_answers_is_told_of_the_first(db: str) -> None:
    """Who comes too late reads who approved; the same answer sent twice is given once."""
    pending, store = specspan.approval(db=db).request("refund"), ApprovalStore(db)
    store.approve(pending.id, APA, event_id="e-1")
    assert store.approve(pending.id, APA, event_id="e-1").state is ApprovalState.APPROVED
    with pytest.raises(OversightRefused, match=r"'apa' approved .* first, at "):
        store.deny(pending.id, Person("bo", Role.ADMIN))


def test_reviewers_approve_nothing(db: str) -> None:
    """It takes the role of an approver."""
    pending, store = specspan.approval(db=db).request("refund"), ApprovalStore(db)
    with refusal("role"):
        store.approve(pending.id, RUTH)
    with refusal("unknown_approval"):
        store.approve("x", APA)


def test_lists_are_read_in_parts(db: str) -> None:
    """Each part begins after the key of the one before."""
    ask, store = specspan.approval(db=db), ApprovalStore(db)
    assert store.list().approvals == ()
    made = [ask.request("refund", {"order": number}).id for number in range(5)]
    store.deny(made[0], APA)
    seen, key = [], None
    for _ in range(3):
        page = store.list(after=key, limit=2)
        seen += [each.id for each in page.approvals]
        key = page.next_key
    assert key is None
    assert sorted(seen) == sorted(made)
    assert len(store.list(ApprovalState.WAITING).approvals) == 4
    assert [each.id for each in store.list(ApprovalState.DENIED).approvals] == [made[0]]
    assert store.ids(made[0][:12]) == [made[0]]


@pytest.mark.parametrize(("timeout_s", "default"), [(0.0, "deny"), (10**9, "deny"), (1.0, "ask")])
def test_what_makes_no_sense_is_refused(timeout_s: float, default: str) -> None:
    """A time without end, or none, and an unknown default."""
    with pytest.raises(ConfigurationError):
        specspan.approval(timeout_s=timeout_s, default=default)  # type: ignore[arg-type]


@dataclass
class Order:
    """Order of a customer."""

    number: int


class Basket:
    """Object whose ``repr`` is its address."""

    def __init__(self, number: int) -> None:
        self.number = number


APART = [
    {"a": 1}, {"a": "1"}, {"a": 1.5}, {1: "a"}, {"1": "a"}, {"int: 1": "a"}, (1, 2), {"a": b"1"}, {"a": "bytes: b'1'"},
    {"a": None}, {}, None, 2**60, 2**60 + 1, str(2**60), float("nan"), "NaN", "nan", "a\ud800", "a?", {"a\ud800": 1},
    {"a?": 1}, {1, 2}, "set: {1, 2}", {1}, Order(1), {"Order": {"number": 1}}, Basket(1), Basket(2), True, "true",
    ["specspan:typed", "builtins.bytes", "b'1'"], b"1", ["specspan:typed", "str", "'a\\ud800'"],
]  # fmt: skip


def test_digests_tell_values_apart() -> None:
    """Values that JSON does not have are not those that it has, nor one another; nor are numbers beyond 2**53."""
    digests = Counter(request_digest("tool", "refund", each) for each in APART)
    assert len(digests) == len(APART)


def test_digests_of_one_value_are_the_same_after_a_restart() -> None:
    """Neither the order of a set nor an object's address is in it, so that who asks again finds the approval."""
    script = (
        "from specspan.approvals.approval_request import request_digest\nprint(request_digest('t', 'n', {'a', 'b'}))"
    )
    said = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        said.add(
            subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True).stdout
        )
    assert len(said) == 1
    assert request_digest("t", "n", Basket(1)) == request_digest("t", "n", Basket(1))


def test_the_store_that_was_configured_is_asked(tmp_path: Path) -> None:
    """Who gave `specspan.configure` a store need not give it again."""
    try:
        specspan.configure(db=tmp_path / "own.db")
        pending = specspan.approval().request("refund", ARGUMENTS)
    finally:
        specspan.shutdown()
        specspan.configure()
        specspan.shutdown()
    with closing(ApprovalStore(tmp_path / "own.db")) as store:
        assert store.get(pending.id).name == "refund"


def test_a_list_has_no_end_beyond_the_largest_time(db: str) -> None:
    """A key that no list printed begins at the start, or is refused; it fails nothing."""
    with closing(ApprovalStore(db)) as store:
        store.request("tool", "refund", "sha256:1", timeout_s=60)
        assert len(store.list(after="9999999999999999999~x").approvals) == 1
        with refusal("invalid_key"):
            store.list(after="99999999999999999999~x")


def test_an_id_of_another_change_is_refused(db: str) -> None:
    """Who sends a change again names the same change; the id of another one settles nothing."""
    with closing(ApprovalStore(db)) as store:
        first, second = (store.request("tool", name, f"sha256:{name}", timeout_s=60).id for name in "ab")
        store.approve(first, APA, event_id="e-1")
        with refusal("known_id"):
            store.approve(second, APA, event_id="e-1")
        with refusal("known_id"):
            store.deny(first, APA, event_id="e-1")
        assert store.get(second).state is ApprovalState.WAITING
