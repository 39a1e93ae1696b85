"""Answers that were made before and are asked for now: what their spans and decisions say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ended_spans import Spans
from openai_wire import Wire, completion, response
from policies import bound, pattern, policy, says

from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Mode, Stage
from specspan.errors import Blocked
from specspan.policy.policy import OnUnread, Policy
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")


def rules(*checks: Any, on_unread: OnUnread = OnUnread.OPEN, mode: Mode = Mode.ENFORCE) -> Policy:
    """Return a policy that blocks by these checks."""
    return policy(replace(bound("quiet", *checks, action=Action.BLOCK), on_unread=on_unread), mode=mode)


def retrieve(body: Any) -> Any:
    """Retrieve a response that the service answers with ``body``."""
    return Wire(body).sync_client().responses.retrieve("resp_1")


def outcomes(decision: Any) -> set[tuple[str, str, str | None]]:
    """Return stage, outcome and reason of each finding."""
    return {(each["stage"], each["outcome"], each.get("reason")) for each in decision["findings"]}


def test_the_span_of_a_retrieval(spans: Spans) -> None:
    """It is named for what is done, and its tokens were counted by the call that made the answer."""
    assert retrieve(response("hello")).output_text == "hello"
    (span,) = spans.all
    assert span.name == "retrieve_response"
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "retrieve_response",
        "gen_ai.provider.name": "openai",
        "server.address": "api.openai.com",
        "server.port": 443,
        "gen_ai.response.id": "resp_1",
        "gen_ai.response.model": "gpt-test-2026",
        "gen_ai.response.finish_reasons": ("stop",),
    }


def test_a_background_answer_is_decided_when_it_is_there(spans: Spans) -> None:
    """A poll finds nothing to decide; the answer is decided and its tokens are counted."""
    secret = rules(pattern("secret", reason="word"))
    with recorded(secret) as record:
        retrieve(response(output=(), status="queued", usage=None, background=True))
        with pytest.raises(Blocked):
            retrieve(response("a secret", background=True))
    assert [each["verdict"] for each in record.decisions] == ["unassessed", "violated"]
    assert [(each.attributes or {}).get("gen_ai.usage.output_tokens") for each in record.spans] == [None, 5]


def test_a_stored_completion(spans: Spans) -> None:
    """Chat completions that the service stored are decided like those that it makes."""
    with recorded(rules(pattern("secret", reason="word"))) as record:
        client = Wire(completion("a secret")).sync_client()
        with pytest.raises(Blocked):
            client.chat.completions.retrieve("chatcmpl-1")
        with pytest.raises(Blocked):
            client.chat.completions.update("chatcmpl-1", metadata={})
    assert [each["verdict"] for each in record.decisions] == ["violated", "violated"]
    assert {(each.attributes or {}).get("gen_ai.usage.output_tokens") for each in record.spans} == {None}


def test_clauses_on_the_request_do_not_comply() -> None:
    """Nobody sees here what the model was asked; clauses on the answer alone comply."""
    on_request = bound("asked", pattern("secret", stage=Stage.INPUT), action=Action.BLOCK)
    on_answer = bound("said", pattern("secret"), action=Action.BLOCK)
    with recorded(policy(on_request, on_answer)) as record:
        retrieve(response("hello"))
    (decision,) = record.decisions
    assert outcomes(decision) == {("input", "unassessed", "request_not_seen"), ("output", "complied", None)}
    assert (decision["verdict"], decision["reason"]) == ("unassessed", "request_not_seen")


@pytest.mark.parametrize("roles", [["system"], ["user"], ["referee"]])
def test_no_role_of_the_request_was_seen(roles: list[str]) -> None:
    """A clause on messages of one role is unassessed, too: there may have been some."""
    check = build("quiet", {"any": ["secret"], "stage": "input", "roles": roles})
    with recorded(rules(check)) as record:
        retrieve(response("hello"))
    assert outcomes(record.decisions[0]) == {("input", "unassessed", "request_not_seen")}


@pytest.mark.parametrize(("says_of_it", "outcome"), [(False, "violated"), (True, "unassessed")])
def test_a_function_runs_on_the_answer(says_of_it: bool, outcome: str) -> None:
    """A check that would read the request as well still finds its violation in the answer."""
    with recorded(rules(says(says_of_it))) as record:
        if outcome == "violated":
            with pytest.raises(Blocked):
                retrieve(response("hello"))
        else:
            retrieve(response("hello"))
    assert [each["outcome"] for each in record.decisions[0]["findings"]] == [outcome]


def test_a_clause_may_fail_closed_over_the_request() -> None:
    """Under ``on_unread: closed`` no answer is fetched of which the request is not seen."""
    with recorded(rules(pattern("secret", stage=Stage.INPUT), on_unread=OnUnread.CLOSED)) as record:
        wire = Wire(response("hello"))
        with pytest.raises(Blocked):
            wire.sync_client().responses.retrieve("resp_1")
    assert wire.requests == []
    assert (record.decisions[0]["action"], record.decisions[0]["reason"]) == ("block", "request_not_seen")


def test_observe_mode_hands_everything_over() -> None:
    """In observe mode the answer is decided and nothing is changed."""
    with recorded(rules(pattern("secret", reason="word"), mode=Mode.OBSERVE)) as record:
        assert retrieve(response("a secret")).output_text == "a secret"
    assert [(each["verdict"], each["would"]) for each in record.decisions] == [("violated", "block")]
