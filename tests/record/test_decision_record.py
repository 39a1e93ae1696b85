"""Decision record v2, of decisions whose policy was not announced: they say everything themselves."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from generated_decisions import NamedCheck, make_policy
from recording import CALL, CONTEXT, KIND, REQUEST, RESPONSE, SSN, Recording, decision

from specspan.call import Message, ModelCall, Reasoning, Request, Response, Text, ToolCall, Unknown
from specspan.checks.check import CheckTraits
from specspan.decision import (
    Action,
    CheckMechanism,
    CheckRef,
    Mode,
    Override,
    OverrideRuling,
    Severity,
    Stage,
)
from specspan.policy.policy import CheckBinding, ClausePolicy, Layer, OnError, Policy
from specspan.record.settings import Settings
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import digest
from specspan.spec.spec import Clause, Spec

Record = Callable[..., Recording]


def test_a_whole_record(record: Record) -> None:
    """A record says who recorded what about which call under which texts, and holds no content."""
    recording = record()
    override = Override("be_brief", "developer", "long-form product", date(2027, 1, 1))
    recording.call(
        decision(
            KIND,
            SSN,
            overrides=(OverrideRuling(override, False, "insufficient_authority"),),
            redacted=("/output/0/parts/0",),
            released_chars=12,
        )
    )
    (found,) = recording.records
    context = recording.span.get_span_context()
    assert context is not None
    input_digest, output_digest = found["call"].pop("input_digest"), found["call"].pop("output_digest")
    assert found == {
        "v": 2,
        "type": "decision",
        "id": "d-1",
        "time_unix_nano": 5,
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "service": {"name": "desk", "version": "7", "instance": "i-1"},
        "spec": [{"id": "model-spec", "version": "2025-09-12", "digest": "sha256:aa"}],
        "policy": {"digest": "sha256:bb"},
        "call": {
            "provider": "openai",
            "operation": "chat",
            "model": "gpt-5",
            "response_id": "r-1",
            "usage": {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 4},
            "scope": {"digest": digest(ScopeOfAutonomy(("search",)))},
        },
        "mode": "observe",
        "verdict": "violated",
        "action": "flag",
        "would": "block",
        "governing_clause": "protect_privacy",
        "reason": "ssn",
        "findings": [
            {
                "position": 0,
                "clause": "be_kind",
                "authority": "user",
                "outcome": "complied",
                "severity": "medium",
                "action": "flag",
                "stage": "output",
                "check": {"name": "kind", "kind": "pattern", "version": "1"},
            },
            {
                "position": 1,
                "clause": "protect_privacy",
                "authority": "root",
                "outcome": "violated",
                "severity": "high",
                "action": "block",
                "score": 1.0,
                "reason": "ssn",
                "stage": "output",
                "check": {"name": "ssn", "kind": "pattern", "version": "2"},
                "evidence": [{"pointer": "/output/0/parts/0", "start": 6, "end": 17}],
                "duration_ns": 2_000,
            },
        ],
        "counts": {"considered": 12, "not_applicable": 0, "unassessed": 10},
        "overhead_ns": 4000,
        "overrides": [
            {
                "clause": "be_brief",
                "by": "developer",
                "granted": False,
                "kind": "explicit",
                "reason": "long-form product",
                "until": "2027-01-01",
                "refusal": "insufficient_authority",
            }
        ],
        "redacted": ["/output/0/parts/0"],
        "stream": {"released_chars": 12},
    }
    shape = '[{"parts":[{"content":"What is my number?","type":"text"}],"role":"user"}]'
    expected = hmac.new(b"key", shape.encode(), hashlib.sha256).hexdigest()
    assert input_digest == f"hmac-sha256:{expected}"
    assert output_digest.startswith("hmac-sha256:")
    assert output_digest != input_digest


def test_digests_of_one_text_differ_by_key(record: Record) -> None:
    """Without a key of one's own it is random: a short text cannot be guessed from its digest."""
    recordings = [record(Settings()), record(Settings()), record(Settings(digest_key=b"a"))]
    for recording in recordings:
        recording.call(decision(KIND))
        recording.call(decision(KIND))
    digests = [[entry["call"]["input_digest"] for entry in recording.records] for recording in recordings]
    assert all(first == second for first, second in digests)
    assert len({first for first, _ in digests}) == 3


def test_a_call_without_an_answer(record: Record) -> None:
    """A call that was blocked before the model was asked has a record, without what there was not."""
    recording = record()
    recording.call(decision(KIND), call=ModelCall(Request("openai")))
    (found,) = recording.records
    assert found["call"] == {"provider": "openai", "operation": "chat"}


def test_hostile_content_has_a_digest(record: Record) -> None:
    """Cycles, lone surrogates and objects without JSON do not cost the record."""
    cycle: list[Any] = []
    cycle.append(cycle)
    parts = (ToolCall("t", cycle), Text("\ud800"), ToolCall("t", object()), ToolCall("t", {1: 2, "a": 3}))
    recording = record()
    recording.call(decision(KIND), call=ModelCall(Request("x", input=(Message("user", parts),))))
    (found,) = recording.records
    assert found["call"]["input_digest"].startswith("hmac-sha256:")


def test_calls_without_a_decision_have_no_record(record: Record) -> None:
    """Without a policy there are spans and metrics, and nothing to record a decision about."""
    recording = record()
    recording.call(None)
    assert recording.records == []
    assert len(recording.spans) == 1


def test_a_policy_that_comes_into_force_is_recorded_before_its_decisions(record: Record) -> None:
    """The policy record indexes the clauses that bind, so that a reader can name those never assessed."""
    clauses = [
        Clause("overview", "Overview", "", None),
        Clause("protect_privacy", "Protect privacy", "…", "root"),
        Clause("be_kind", "Be kind", "…", "user"),
    ]
    spec = Spec("desk", "2", "sha256:aa", ("root", "user"), {clause.id: clause for clause in clauses})
    bound = ClausePolicy(clauses[1], Severity.HIGH, Action.BLOCK, OnError.OPEN, (CheckBinding(NUMBERS),))
    unbound = ClausePolicy(clauses[2], Severity.LOW, Action.FLAG, OnError.OPEN, mode=Mode.OBSERVE)
    layers = (Layer("base.yaml", "sha256:cc"), Layer("desk.yaml", "sha256:dd"))
    clauses_bound = {"protect_privacy": bound, "be_kind": unbound}
    policy = Policy((spec,), Mode.ENFORCE, "sha256:bb", clauses_bound, layers=layers, environment="production")
    recording = record()
    recording.recorder.record_policy(policy)
    recording.call(decision(KIND, specs=(spec.ref,)))
    found, after = recording.records
    assert isinstance(found["time_unix_nano"], int)
    assert {name: value for name, value in found.items() if name != "time_unix_nano"} == {
        "v": 2,
        "type": "policy",
        "id": after["policy"]["record"],
        "service": {"name": "desk", "version": "7", "instance": "i-1"},
        "spec": [{"id": "desk", "version": "2", "digest": "sha256:aa"}],
        "policy": {
            "digest": "sha256:bb",
            "environment": "production",
            "layers": [{"source": "base.yaml", "digest": "sha256:cc"}, {"source": "desk.yaml", "digest": "sha256:dd"}],
        },
        "mode": "enforce",
        "clauses": [
            {
                "id": "protect_privacy",
                "title": "Protect privacy",
                "authority": "root",
                "checked": True,
                "mode": "enforce",
            },
            {"id": "be_kind", "title": "Be kind", "authority": "user", "checked": False, "mode": "observe"},
        ],
        "levels": {"root": 0, "user": 1},
        "assessments": [
            {
                "clause": "protect_privacy",
                "authority": "root",
                "severity": "high",
                "action": "block",
                "stage": "output",
                "check": {"name": "numbers", "kind": "pattern", "version": "1"},
            }
        ],
    }
    assert after["type"] == "decision"


NUMBERS = NamedCheck(CheckRef("numbers", CheckMechanism.PATTERN), CheckTraits(Stage.OUTPUT))


def test_the_id_of_a_policy_record_names_its_content(record: Record) -> None:
    """One policy has one id in every service and at every time; anybody can compute it from the record."""
    first, second = record(), record()
    second.recorder.record_policy(make_policy([("other", 1, False)]))
    for recording in (first, second):
        recording.recorder.record_policy(make_policy([("clause_a", 2, True)]))
    (found,), (other, same) = first.records, second.records
    content = {name: found[name] for name in found if name not in ("v", "type", "id", "time_unix_nano", "service")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    assert found["id"] == same["id"] == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert other["id"] != same["id"]


def test_a_record_is_json(record: Record) -> None:
    """Records hold nothing but what JSON knows: words of closed sets are plain strings."""
    recording = record()
    recording.call(decision(KIND, SSN), call=ModelCall(REQUEST, RESPONSE, CONTEXT))
    (found,) = recording.records
    assert json.loads(json.dumps(found)) == found
    assert type(found["verdict"]) is str
    assert CALL.output_text not in json.dumps(found)


def test_parts_that_no_check_read_are_counted(record: Record) -> None:
    """Reasoning counts unless a check asked for it; a call that was read whole says nothing."""
    answer = Message("assistant", (Reasoning("hm"), Text("Yes."), Unknown("hologram")))
    call = replace(CALL, response=Response(output=(answer, Message("assistant", (Reasoning("hm"),)))))

    def unread(call: ModelCall, *, reads_reasoning: bool = False) -> Any:
        recording = record()
        recording.call(replace(decision(KIND), reads_reasoning=reads_reasoning), call=call)
        return recording.records[0]["call"].get("unread")

    assert unread(call) == {"reasoning": 2, "not_understood": 1}
    assert unread(call, reads_reasoning=True) == {"not_understood": 1}
    assert unread(CALL) is None
