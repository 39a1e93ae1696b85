"""Tasks of review go from open to ruled or expired, whichever database holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import Any

import pytest
from reviewed import ADMIN, ANA, BEN, CARO, VIEWER, decision, decision_id, finding, record, record_call

from specspan.decision import ReviewCause
from specspan.errors import OversightRefused
from specspan.review import review_transitions
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewFilter, ReviewState, ReviewTask, RulingKind, RulingResult
from specspan.stores.opening import open_store

ASKED = {"clause": "be_kind", "outcome": "violated", "causes": ["escalated", "sampled"]}


def with_task(db: str, queue: ReviewQueue, **asked: object) -> ReviewTask:
    """Record one violated decision that asks for a review, and return its task."""
    record(db, decision(1, finding("be_kind", "violated"), finding("privacy", "complied"), reviews=[ASKED | asked]))
    (task,) = queue.list().tasks
    return task


@contextmanager
def refusal(code: str) -> Iterator[None]:
    """Expect a refusal of a code."""
    with pytest.raises(OversightRefused) as caught:
        yield
    assert caught.value.code == code


def test_a_decision_that_asks_for_a_review_opens_a_task(db: str, queue: ReviewQueue) -> None:
    """The task stands in the queue with the record of its opening, and once however often the decision is written."""
    task = with_task(db, queue)
    assert (task.clause, task.outcome, task.service) == ("be_kind", "violated", "desk")
    assert (task.state, task.causes) == (ReviewState.OPEN, (ReviewCause.ESCALATED, ReviewCause.SAMPLED))
    record(db, decision(1, finding("be_kind", "violated"), reviews=[ASKED]))
    assert len(queue.list().tasks) == 1
    assert [event.kind for event in queue.history(task.id, "ana")] == ["opened"]


def test_a_ruling_amends_the_decision(db: str, queue: ReviewQueue) -> None:
    """An overruled violation leaves the decision complied, and both verdicts are on record."""
    task = with_task(db, queue)
    queue.claim(task.id, ANA)
    result = queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="complied", reason="it is a quotation")
    assert (result.task.state, result.task.ruled_outcome) == (ReviewState.RULED, "complied")
    assert result.amended == ("violated", "complied")
    with open_store(db) as reader:
        amended = reader.decision(task.decision_id)
    assert (amended["verdict"], amended["governing_clause"]) == ("complied", None)
    last = queue.history(task.id, "ben")[-1]
    assert (last.kind, last.person, last.detail["reason"]) == ("ruled", "ana", "it is a quotation")
    assert last.detail["amended"]["before"]["verdict"] == "violated"


def test_a_confirmed_outcome_amends_nothing(db: str, queue: ReviewQueue) -> None:
    """The decision stays as it was, and the ruling is on record."""
    task = with_task(db, queue)
    result = queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="plainly unkind")
    assert (result.amended, result.task.ruled_outcome) == (None, "violated")
    assert [event.kind for event in queue.history(task.id, "x")] == ["opened", "claimed", "ruled"]


def test_the_second_of_two_rulings_is_told_of_the_first(db: str, queue: ReviewQueue) -> None:
    """Who comes too late reads who ruled, and what."""
    task = with_task(db, queue)
    queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
    with pytest.raises(OversightRefused, match=r"'ana' ruled on .* first, at .*: 'violated'") as caught:
        queue.rule(task.id, BEN, RulingKind.OVERRULE, outcome="complied", reason="kind")
    assert caught.value.code == "already_ruled"


def test_a_ruling_that_is_sent_twice_is_made_once(db: str, queue: ReviewQueue) -> None:
    """A caller whose answer was lost asks again with the same id, and is told the same."""
    task = with_task(db, queue)
    first = queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="complied", reason="no", ruling_id="r-1")
    again = queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="complied", reason="no", ruling_id="r-1")
    assert again == first
    assert len(queue.rulings(task.id, "ana")) == 1
    with refusal("known_id"):
        queue.rule(task.id, BEN, RulingKind.CONFIRM, reason="yes", ruling_id="r-1")


def test_a_claim_keeps_others_away_until_it_is_given_back(db: str, queue: ReviewQueue) -> None:
    """One reviewer works on a task at a time."""
    task = with_task(db, queue)
    assert queue.claim(task.id, ANA).claimed_by == "ana"
    with refusal("claimed"):
        queue.rule(task.id, BEN, RulingKind.CONFIRM, reason="unkind")
    with refusal("not_claimed"):
        queue.release(task.id, BEN)
    assert queue.list(ReviewFilter(for_reviewer="ben")).tasks == []
    assert queue.release(task.id, ADMIN).state is ReviewState.OPEN
    assert queue.claim(task.id, BEN, claim_s=0).claimed_by == "ben"
    assert queue.task(task.id).claimed_by is None, "the claim has lapsed"
    queue.claim(task.id, ANA)


def test_no_reviewer_sees_another_ruling_before_their_own(db: str, queue: ReviewQueue) -> None:
    """Of two reviewers the second reads the first's ruling only after having ruled."""
    task = with_task(db, queue, rulings=2)
    queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
    assert queue.task(task.id).state is ReviewState.OPEN
    assert queue.rulings(task.id, "ben") == []
    assert [event.detail for event in queue.history(task.id, "ben") if event.kind == "ruled"] == [{}]
    assert [ruling.reason for ruling in queue.rulings(task.id, "ana")] == ["unkind"]
    with open_store(db) as reader:
        assert reader.decision(task.decision_id)["verdict"] == "violated"
    with refusal("own_ruling"):
        queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="still unkind")
    queue.rule(task.id, BEN, RulingKind.CONFIRM, reason="rude")
    assert [ruling.reason for ruling in queue.rulings(task.id, "ben")] == ["unkind", "rude"]
    assert queue.task(task.id).ruled_outcome == "violated"


def test_a_third_reviewer_rules_where_two_disagree(db: str, queue: ReviewQueue) -> None:
    """The outcome is that of the majority."""
    task = with_task(db, queue, rulings=2)
    queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
    after = queue.rule(task.id, BEN, RulingKind.OVERRULE, outcome="complied", reason="kind")
    assert (after.task.state, after.task.wanted_rulings, after.amended) == (ReviewState.OPEN, 3, None)
    last = queue.rule(task.id, CARO, RulingKind.OVERRULE, outcome="complied", reason="a quotation")
    assert (last.task.state, last.task.ruled_outcome) == (ReviewState.RULED, "complied")
    assert last.amended == ("violated", "complied")


def test_who_cannot_say_leaves_the_decision_as_it_is(db: str, queue: ReviewQueue) -> None:
    """The task is done, and no outcome is ruled."""
    task = with_task(db, queue)
    result = queue.rule(task.id, ANA, RulingKind.CANNOT_SAY, reason="the answer is cut off")
    assert (result.task.state, result.task.ruled_outcome, result.amended) == (ReviewState.RULED, None, None)


def test_a_task_expires_for_good(db: str, queue: ReviewQueue) -> None:
    """Nobody rules after its time, and the expiry is a change on record."""
    task = with_task(db, queue, expires_unix_nano=10**18)
    assert task.state is ReviewState.EXPIRED
    with refusal("expired"):
        queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
    assert queue.expire() == 0, "the refused ruling wrote it down"
    assert [event.kind for event in queue.history(task.id, "x")] == ["opened", "expired"]
    record(db, decision(2, finding("be_kind", "violated"), reviews=[ASKED | {"expires_unix_nano": 10**18}]))
    assert queue.expire() == 1
    assert queue.counts()[ReviewState.EXPIRED] == 2


@pytest.mark.parametrize(
    ("kind", "outcome", "code"),
    [
        (RulingKind.OVERRULE, None, "invalid_outcome"),
        (RulingKind.OVERRULE, "violated", "invalid_outcome"),
        (RulingKind.OVERRULE, "uncertain", "invalid_outcome"),
        (RulingKind.CONFIRM, "complied", "invalid_outcome"),
        (RulingKind.CANNOT_SAY, "complied", "invalid_outcome"),
    ],
)
def test_a_ruling_names_an_outcome_that_fits(
    db: str, queue: ReviewQueue, kind: RulingKind, outcome: str | None, code: str
) -> None:
    """What does not fit is refused, and nothing is written."""
    task = with_task(db, queue)
    with refusal(code):
        queue.rule(task.id, ANA, kind, outcome=outcome, reason="because")
    assert [event.kind for event in queue.history(task.id, "x")] == ["opened"]


def test_an_undecided_outcome_cannot_be_confirmed(db: str, queue: ReviewQueue) -> None:
    """Where the checks could not decide, the reviewer has to."""
    record(db, decision(1, finding("be_kind", "uncertain"), reviews=[ASKED | {"outcome": "uncertain"}]))
    (task,) = queue.list().tasks
    with refusal("invalid_outcome"):
        queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="hm")
    assert queue.rule(task.id, ANA, RulingKind.OVERRULE, outcome="violated", reason="rude").amended == (
        "uncertain",
        "violated",
    )


def test_viewers_may_only_look(db: str, queue: ReviewQueue) -> None:
    """The refusal names the role that it takes."""
    task = with_task(db, queue)
    with pytest.raises(OversightRefused, match="'vic' is a viewer and may not rule on a review") as caught:
        queue.rule(task.id, VIEWER, RulingKind.CONFIRM, reason="unkind")
    assert caught.value.code == "role"
    with refusal("role"):
        queue.claim(task.id, VIEWER)


def test_what_is_gone_cannot_be_ruled_on(db: str, queue: ReviewQueue) -> None:
    """A decision that was pruned, content that was recorded and is gone, and a clause that is unknown are refused."""
    ids = record_call(db, "Am I a fool?", "You are.")
    asked = ASKED | {"content": True}
    record(db, decision(1, finding("be_kind", "violated"), reviews=[asked], **ids))
    record(
        db,
        decision(2, finding("be_kind", "violated"), reviews=[asked], trace_id="0" * 31 + "1", span_id="0" * 15 + "1"),
    )
    record(db, decision(3, finding("be_kind", "violated"), reviews=[ASKED | {"clause": "be_brief"}]))
    there, gone, unknown = queue.list(oldest_first=True).tasks
    with refusal("content_gone"):
        queue.rule(gone.id, ANA, RulingKind.CONFIRM, reason="unkind")
    with refusal("unknown_clause"):
        queue.rule(unknown.id, ANA, RulingKind.CONFIRM, reason="unkind")
    assert queue.rule(there.id, ANA, RulingKind.CONFIRM, reason="unkind").task.ruled_outcome == "violated"
    with refusal("unknown_task"):
        queue.rule(f"{decision_id(9)}.00000000", ANA, RulingKind.CONFIRM, reason="unkind")
    with refusal("unknown_decision"):
        queue.open(decision_id(9), "be_kind", by=ANA)
    with refusal("unknown_clause"):
        queue.open(decision_id(1), "be_brief", by=ANA)


def test_a_person_may_ask_for_a_review(db: str, queue: ReviewQueue) -> None:
    """The task is the same for whoever asks first, and shows the call, the clause and its findings."""
    ids = record_call(db, "Am I a fool?", "You are.")
    evidence = [{"pointer": "/output/0/parts/0", "start": 0, "end": 3}]
    record(db, decision(1, finding("be_kind", "violated", evidence=evidence), **ids))
    task = queue.open(decision_id(1), "be_kind", by=ANA)
    assert (task.causes, task.had_content) == ((ReviewCause.REQUESTED,), True)
    assert queue.open(decision_id(1), "be_kind", by=BEN) == task
    shown = queue.decision(task)
    assert shown.call is not None
    assert shown.clause_record["text"] == "Be kind."
    assert shown.findings[0]["evidence"] == evidence


def test_lists_are_read_in_parts(db: str, queue: ReviewQueue) -> None:
    """Each part begins after the key of the one before, in either order, with and without conditions."""
    reviews = [ASKED, ASKED | {"clause": "privacy", "outcome": "complied", "causes": ["sampled"]}]
    record(
        db,
        *(
            decision(n, finding("be_kind", "violated"), finding("privacy", "complied"), reviews=reviews)
            for n in range(5)
        ),
    )
    for oldest_first in (False, True):
        seen, key = [], None
        while True:
            page = queue.list(after=key, limit=3, oldest_first=oldest_first)
            seen += [(task.opened_unix_nano, task.id) for task in page.tasks]
            key = page.next_key
            if key is None:
                break
        assert len(seen) == 10
        assert seen == sorted(seen, reverse=not oldest_first)
    assert len(queue.list(ReviewFilter(ReviewState.OPEN, clause="privacy", service="desk")).tasks) == 5
    assert len(queue.list(ReviewFilter(cause=ReviewCause.ESCALATED)).tasks) == 5
    assert queue.list(ReviewFilter(service="shop")).tasks == []
    assert queue.counts()[ReviewState.OPEN] == 10
    with refusal("invalid_key"):
        queue.list(after="x")


def test_an_empty_store_has_no_reviews(db: str, queue: ReviewQueue) -> None:
    """Nothing is made by looking."""
    assert queue.list().tasks == ()
    assert queue.counts()[ReviewState.OPEN] == 0
    assert queue.expire() == 0
    assert queue.task_ids("0") == ()
    with refusal("unknown_task"):
        queue.task("x")


def test_spans_tell_rulings_once_nobody_rules_any_more(db: str) -> None:
    """A trace would tell the second reviewer what the first one ruled; a ruling that is sent twice is told once."""
    told: list[tuple[str, str | None]] = []

    class Telemetry:
        def write(self, result: RulingResult, decision: Mapping[str, Any]) -> None:
            told.append((result.ruling.reviewer, result.ruling.outcome))

    with closing(ReviewQueue(db, telemetry=Telemetry())) as queue:
        task = with_task(db, queue, rulings=2)
        queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
        assert told == []
        for _ in range(2):
            queue.rule(task.id, BEN, RulingKind.CONFIRM, reason="rude", ruling_id="r-2")
        assert told == [("ana", "violated"), ("ben", "violated")]


def test_spans_tell_rulings_of_a_task_that_expired(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two rulings that were wanted the one that was made is told when the time is over."""
    told: list[str] = []

    class Telemetry:
        def write(self, result: RulingResult, decision: Mapping[str, Any]) -> None:
            told.append(result.ruling.reviewer)

    with closing(ReviewQueue(db, telemetry=Telemetry())) as queue:
        task = with_task(db, queue, rulings=2, expires_unix_nano=2**62)
        queue.rule(task.id, ANA, RulingKind.CONFIRM, reason="unkind")
        monkeypatch.setattr(review_transitions, "at_time", lambda task, _: replace(task, state=ReviewState.EXPIRED))
        with refusal("expired"):
            queue.claim(task.id, BEN)
    assert told == ["ana"]
