"""Log records, for backends that keep them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from opentelemetry.sdk._logs import ReadableLogRecord
from recording import CALL, KIND, SSN, SSN_ATTRIBUTES, Recording, decision

from specspan.call import ModelCall
from specspan.decision import Finding, Outcome
from specspan.record.conventions import Generation
from specspan.record.settings import Content, FindingEvents, Settings

Record = Callable[..., Recording]


def named(logs: list[ReadableLogRecord], name: str) -> list[dict[str, Any]]:
    return [dict(log.log_record.attributes or {}) for log in logs if log.log_record.event_name == name]


UNSEEN = Finding(Outcome.UNASSESSED, clause="unseen")
LATE = Finding(Outcome.PENDING, clause="late")
WAIVED = Finding(Outcome.OVERRIDDEN, clause="waived")


def test_a_decision_and_what_deviates_are_log_records_of_the_span(record: Record) -> None:
    """One for the decision, with its summary, and one for the finding that did not comply; none for what did."""
    recording = record()
    recording.call(decision(KIND, SSN, UNSEEN))
    whole, ssn = recording.logs
    context = recording.span.get_span_context()
    assert context is not None
    for log, name in ((whole, "specspan.decision"), (ssn, "gen_ai.evaluation.result")):
        assert (log.log_record.trace_id, log.log_record.span_id) == (context.trace_id, context.span_id)
        assert (log.log_record.event_name, log.log_record.timestamp) == (name, 5)
        assert log.log_record.severity_text == "WARN"
    of_span = {name: value for name, value in recording.attributes.items() if "specspan." in name}
    assert dict(whole.log_record.attributes or {}) == {"gen_ai.response.id": "r-1"} | {
        name: value for name, value in of_span.items() if ".scope." not in name and ".clause." not in name
    }
    assert dict(ssn.log_record.attributes or {}) == SSN_ATTRIBUTES | {
        "gen_ai.evaluation.name": "protect_privacy",
        "gen_ai.evaluation.score.label": "violated",
        "gen_ai.evaluation.score.value": 1.0,
        "gen_ai.response.id": "r-1",
    }


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (FindingEvents.NONE, []),
        (FindingEvents.VIOLATIONS, ["protect_privacy", "late", "waived"]),
        (FindingEvents.ALL, ["be_kind", "protect_privacy", "late", "waived"]),
    ],
)
def test_the_setting_says_which_findings_are_log_records(
    record: Record, which: FindingEvents, expected: list[str]
) -> None:
    """None, those that deviate, or every one that applied; the decision is one in any case."""
    recording = record(Settings(finding_events=which))
    recording.call(decision(KIND, SSN, UNSEEN, LATE, WAIVED))
    found = named(recording.logs, "gen_ai.evaluation.result")
    assert [each["specspan.finding.clause"] for each in found] == expected
    assert len(named(recording.logs, "specspan.decision")) == 1
    assert ("specspan.clauses.applied" in recording.attributes) == (which is FindingEvents.ALL)


def test_a_hundred_clauses_that_complied_are_one_log_record(record: Record) -> None:
    """What is sent of a call does not grow with the clauses it complied with."""
    recording = record()
    recording.call(decision(*(replace(KIND, clause=f"clause_{number}") for number in range(100))))
    (log,) = recording.logs
    assert (log.log_record.event_name, log.log_record.severity_text) == ("specspan.decision", "INFO")
    assert "clause_9" not in log.to_json() + recording.span.to_json()


def test_a_check_that_failed_says_so(record: Record) -> None:
    """A finding of outcome error has an error type: it is not taken for an evaluation that went well."""
    recording = record()
    recording.call(decision(replace(SSN, outcome=Outcome.ERROR, reason="timeout")))
    (found,) = named(recording.logs, "gen_ai.evaluation.result")
    assert (found["error.type"], found["gen_ai.evaluation.score.label"]) == ("timeout", "error")


@pytest.mark.parametrize("generation", [Generation.NEXT, Generation.BOTH])
def test_guardrail_results_are_the_next_generation(record: Record, generation: Generation) -> None:
    """The draft of guardrail events is recorded only by the switch."""
    recording = record(Settings(generation=generation))
    recording.call(decision(SSN))
    (found,) = named(recording.logs, "gen_ai.guardrail.result")
    assert {name: value for name, value in found.items() if name.startswith("gen_ai.guardrail.")} == {
        "gen_ai.guardrail.component.name": "specspan",
        "gen_ai.guardrail.policy.id": "sha256:bb",
        "gen_ai.guardrail.policy.version": "2025-09-12",
        "gen_ai.guardrail.policy.rule.id": "protect_privacy",
        "gen_ai.guardrail.result.type": "outcome",
        "gen_ai.guardrail.result.value": "violated",
        "gen_ai.guardrail.result.reason": "ssn",
        "gen_ai.guardrail.source": "output",
    }


@pytest.mark.parametrize("content", list(Content))
def test_content_is_where_it_was_asked_for_and_nowhere_else(record: Record, content: Content) -> None:
    """Prompts, answers and explanations stand on spans, on log records, on both or on neither."""
    recording = record(Settings(content=content))
    recording.call(decision(SSN))
    span, logs = recording.span.to_json(), repr([log.to_json() for log in recording.logs])
    for secret in ("What is my number?", "It is 123-45-6789.", "it says 123-45-6789"):
        assert (secret in span) == content.on_spans
        assert (secret in logs) == content.on_events
    assert ("it says" in repr(recording.records)) == (content is not Content.NO_CONTENT)


def test_content_on_log_records_is_structured(record: Record) -> None:
    """The conventions' details event carries messages as structures, beside the attributes of the call."""
    recording = record(Settings(content=Content.EVENT_ONLY))
    recording.call()
    (found,) = named(recording.logs, "gen_ai.client.inference.operation.details")
    assert found["gen_ai.input.messages"] == (
        {"role": "user", "parts": ({"type": "text", "content": "What is my number?"},)},
    )
    assert (found["gen_ai.request.model"], found["gen_ai.response.id"]) == ("gpt-5", "r-1")


def test_a_call_without_content_has_no_details_event(record: Record) -> None:
    """Where there is nothing to tell, nothing is logged."""
    recording = record(Settings(content=Content.EVENT_ONLY))
    recording.call(call=ModelCall(replace(CALL.request, input=())))
    assert recording.logs == []
