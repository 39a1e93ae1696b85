"""The life of a call that somebody else traces, from its span's end to the decision."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from bridging import RULES, Bridged, outcomes, process
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from policies import Code, bound, pattern, policy

import specspan
from specspan._support import drop_counts
from specspan.bridges.bridge import Bridge
from specspan.bridges.dialect import iter_dialects
from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Mode
from specspan.errors import ConfigurationError
from specspan.instrument.gate import active
from specspan.scope.scope import ScopeOfAutonomy


def messages(role: str, *texts: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]} for text in texts])


def chat(
    asked: str | None = "hi", answered: str | None = "hello", more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Attributes of a call in the shape of the conventions."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-test",
        **({} if asked is None else {"gen_ai.input.messages": messages("user", asked)}),
        **({} if answered is None else {"gen_ai.output.messages": messages("assistant", answered)}),
        **(more or {}),
    }


def test_an_ended_span_is_decided_and_the_decision_stands_below_it(others: Bridged) -> None:
    """A child span in the same trace names the call's span and the dialect, and carries the summary."""
    call = others.span(chat())
    [decision] = others.decision_spans
    assert call.context is not None
    assert decision.parent is not None
    assert (decision.parent.trace_id, decision.parent.span_id) == (call.context.trace_id, call.context.span_id)
    found = decision.attributes or {}
    assert found["specspan.decision.verdict"] == "violated"
    assert found["specspan.clauses.violated"] == ("quiet",)
    assert found["specspan.call.dialect"] == "gen_ai"
    assert found["specspan.call.span_id"] == trace.format_span_id(call.context.span_id)
    assert [link.context.span_id for link in decision.links] == [call.context.span_id]
    assert "gen_ai.operation.name" not in found  # it is no second model call
    assert call.end_time is not None
    assert decision.start_time is not None
    assert decision.end_time is not None
    assert call.end_time <= decision.start_time <= decision.end_time
    assert [event.name for event in decision.events] == ["specspan.finding"]


def test_the_record_is_like_any_other_and_names_the_call_and_the_dialect(others: Bridged) -> None:
    """Trace and span are the call's own."""
    call = others.span(chat())
    [record] = others.decisions
    assert call.context is not None
    assert record["span_id"] == trace.format_span_id(call.context.span_id)
    assert record["call"]["dialect"] == "gen_ai"
    assert (record["call"]["provider"], record["call"]["model"]) == ("openai", "gpt-test")
    assert outcomes(record)["quiet"] == ("violated", "loud")


def test_what_is_over_is_only_observed_and_that_is_said(others: Bridged, caplog: pytest.LogCaptureFixture) -> None:
    """A policy in enforce mode takes no action; that is logged once and counted for each call."""
    before = drop_counts.totals().get(("enforcement", "bridged_call"), 0)
    with caplog.at_level(logging.WARNING, "specspan"):
        others.span(chat())
        others.span(chat())
        records = others.decisions
    assert [(record["mode"], record["would"]) for record in records] == [("observe", "flag")] * 2
    assert drop_counts.totals()["enforcement", "bridged_call"] - before == 2
    assert [message for message in caplog.messages if "only observed" in message] == caplog.messages[:1]


def test_a_policy_that_observes_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    """There is nothing that is not enforced."""
    with process() as others, caplog.at_level(logging.WARNING, "specspan"):
        others.configure(policy(bound("quiet", pattern("hello")), mode=Mode.OBSERVE))
        others.span(chat())
        assert [record["verdict"] for record in others.decisions] == ["violated"]
    assert caplog.messages == []


def test_decisions_are_counted_as_others_are(others: Bridged) -> None:
    """Decisions and findings are measured, and duration and tokens where the other side measures none."""
    others.span(chat(more={"gen_ai.usage.input_tokens": 12}))
    others.span(chat(more={"gen_ai.usage.input_tokens": 12}), scope="opentelemetry.instrumentation.openai_v2")
    assert specspan.force_flush()
    data = others.reader.get_metrics_data()
    points: dict[str, list[Any]] = {
        metric.name: list(metric.data.data_points)
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    [decided] = points["specspan.decisions"]
    assert decided.value == 2
    assert decided.attributes["gen_ai.provider.name"] == "openai"
    assert [point.count for point in points["gen_ai.client.token.usage"]] == [1]
    assert [point.count for point in points["gen_ai.client.operation.duration"]] == [1]


def test_what_was_not_recorded_is_unassessed(others: Bridged) -> None:
    """Without content no clause about content complies, and the finding says why."""
    others.span(chat(None, None))
    [record] = others.decisions
    assert set(outcomes(record).values()) == {("unassessed", "content_not_recorded")}
    assert (record["verdict"], record["reason"]) == ("unassessed", "content_not_recorded")
    assert (record["call"]["input_digest"], record["call"]["output_digest"]) == (None, None)


def test_a_call_that_failed_has_no_answer_to_assess(others: Bridged) -> None:
    """Its question is decided, and what needs an answer was not reached."""
    others.span(chat("something evil", None, {"error.type": "RateLimitError"}), failed=True)
    [record] = others.decisions
    assert outcomes(record)["kind"][0] == "violated"
    assert outcomes(record)["quiet"][0] == "unassessed"


def test_other_spans_are_left_alone(others: Bridged) -> None:
    """Agents, tools, HTTP and everything else make no model call."""
    others.span({"gen_ai.operation.name": "invoke_agent"})
    others.span({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "wipe"})
    others.span({"http.request.method": "GET"})
    assert others.decisions == []


def test_what_specspan_decided_is_not_decided_again(others: Bridged) -> None:
    """Neither its own spans nor those it annotated."""

    @specspan.observe(model="m")
    def parrot(text: str) -> str:
        return text

    parrot("hello")
    with others.tracers.get_tracer("somebody").start_as_current_span("call", attributes=chat()):
        parrot("fine")
    assert [record["call"].get("dialect") for record in others.decisions] == [None, None]


def test_a_call_told_twice_is_decided_once(others: Bridged) -> None:
    """Of a model call's span inside another's, the inner one is the call."""
    tracer = others.tracers.get_tracer("framework")
    with tracer.start_as_current_span("agent"):
        with tracer.start_as_current_span("outer", attributes=chat("hi", "fine")):
            others.span(chat("hi", "hello"))
        others.span(chat("hi", "another"))
    assert [record["verdict"] for record in others.decisions] == ["violated", "complied"]


def test_a_span_that_tells_of_an_answer_specspan_decided_is_no_other_call(others: Bridged) -> None:
    """Some make their span when the call is over: the answer's id, in one trace, tells that it is the same."""
    with others.tracers.get_tracer("app").start_as_current_span("work"):
        own = others.tracers.get_tracer("specspan").start_span(
            "chat", attributes=chat(more={"gen_ai.response.id": "r-1"})
        )
        own.end()
        others.span(chat(more={"gen_ai.response.id": "r-1"}))
        assert others.decisions == []
        others.span(chat(more={"gen_ai.response.id": "r-2"}))
    assert len(others.decisions) == 1


def test_what_the_application_said_of_the_work_counts(others: Bridged) -> None:
    """Conversation and scope hold for calls that others trace, too."""
    with specspan.context(conversation="c-9", scope=ScopeOfAutonomy(allowed_tools=("search",))):
        others.span(chat())
    [decision] = others.decision_spans
    assert (decision.attributes or {})["gen_ai.conversation.id"] == "c-9"
    [record] = others.decisions
    assert record["call"]["scope"] is not None


def test_the_application_does_not_wait_for_slow_checks() -> None:
    """A span ends while the check about the one before still runs; the decision comes when it is done."""
    begun, let_go = threading.Event(), threading.Event()

    def slow(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        begun.set()
        return let_go.wait(30)

    with process() as others:
        others.configure(policy(bound("slow", Code(slow))))
        others.span(chat())
        assert begun.wait(30)
        others.span(chat())
        assert others.records.records[1:] == []
        let_go.set()
        assert [record["verdict"] for record in others.decisions] == ["complied", "complied"]


def test_what_finds_no_room_is_counted() -> None:
    """Ended calls = decided + dropped, exactly."""
    let_go = threading.Event()

    def slow(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return let_go.wait(30)

    before = drop_counts.totals().get(("bridged_call", "queue_full"), 0)
    with process() as others:
        others.configure(policy(bound("slow", Code(slow))), bridges=False)
        bridge = Bridge(iter_dialects(), queue_size=2)
        assert bridge.listen_to(others.tracers)
        for _ in range(10):
            others.span(chat())
        let_go.set()
        assert bridge.force_flush(30)
        dropped = drop_counts.totals()["bridged_call", "queue_full"] - before
        assert dropped >= 7
        assert len(others.decisions) + dropped == 10
        bridge.shutdown()


def test_shutdown_decides_what_ended() -> None:
    """Nothing that ended before is lost, and what ends after is nobody's."""
    with process() as others:
        others.configure()
        others.span(chat())
        specspan.shutdown()
        others.span(chat())
        assert [record["verdict"] for record in others.records.records[1:]] == ["violated"]


def test_configured_again_a_provider_is_met_once(others: Bridged) -> None:
    """The new configuration takes over; a call has one decision. Without bridges there is none."""
    others.configure()
    others.span(chat())
    assert len(others.decisions) == 1
    others.configure(bridges=False)
    others.span(chat())
    assert len(others.decisions) == 1


def test_providers_may_be_named() -> None:
    """Spans that go to a provider of somebody else's own are met there, and the decision goes there, too."""
    with process() as ours, process() as theirs:
        ours.configure(bridges=[theirs.tracers])
        ours.span(chat())
        theirs.span(chat())
        assert len(ours.decisions) == 1
        assert ours.decision_spans == []
        assert len(theirs.decision_spans) == 1


def test_what_is_no_provider_is_refused_and_changes_nothing(others: Bridged) -> None:
    """The error names the argument, and what was configured stays in force."""
    before = active()
    with pytest.raises(ConfigurationError, match=r"configure\(bridges=…\).*'object'"):
        others.configure(bridges=[object()])
    assert active() is before


def test_a_provider_that_specspan_makes_is_nobody_elses(caplog: pytest.LogCaptureFixture, tmp_path: Any) -> None:
    """Bridges without anybody's provider are worth a warning with a remedy."""
    specspan.configure(RULES, bridges=True, db=tmp_path / "s.db")
    specspan.shutdown()
    assert "bridges=[provider]" in caplog.text


def test_a_check_that_asks_a_model_is_not_decided_by_itself() -> None:
    """A judge's own call, traced by somebody else, would be judged, and so would that one."""
    with process() as others:

        def judge(call: ModelCall, texts: Sequence[TextAt]) -> bool:
            others.span(chat("is it kind?", "yes"), name="judge")
            return True

        others.configure(policy(bound("judged", Code(judge)), bound("late", Code(judge, timeout_s=30))))
        others.span(chat())
        for _ in range(3):  # what a decision leads to is decided by the next flush
            assert len(others.decisions) == 1


def test_nothing_is_done_without_a_policy() -> None:
    """There is nothing to decide by."""
    with process() as others:
        others.configure(None)  # type: ignore[arg-type]  # no policy at all
        others.span(chat())
        assert others.decision_spans == []


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        ("{", "content_not_understood"),
        ("7", "content_not_understood"),
        ("null", "content_not_recorded"),
        ('["hello"]', "content_not_understood"),
        ('[{"role": "assistant"}]', "content_not_recorded"),
        ('[{"role": "assistant", "parts": []}]', "content_not_recorded"),
        ('[{"role": "assistant", "parts": null}]', "content_not_understood"),
        ('[{"role": "assistant", "parts": [{"type": "hologram"}]}]', "content_not_understood"),
        ('[{"role": "assistant", "parts": [null]}]', "content_not_understood"),
        ('[{"role": "assistant", "parts": [{"type": ["text"]}]}]', "content_not_understood"),
        ('[{"role": "assistant", "parts": [{"type": "text", "content": 7}]}]', "content_not_understood"),
        ('[{"role": "assistant", "content": {"a": 1}}]', "content_not_understood"),
        ("[" * 100_000, "content_not_understood"),
        ("[]", "content_not_recorded"),
    ],
)
def test_what_is_malformed_is_unassessed_and_raises_nothing(others: Bridged, recorded: str, reason: str) -> None:
    """Whatever stands where messages should, the call is decided as far as the rest goes."""
    others.span(chat("evil", None, {"gen_ai.output.messages": recorded}))
    [record] = others.decisions
    assert outcomes(record)["quiet"] == ("unassessed", reason)
    assert outcomes(record)["kind"][0] == "violated"


def test_malformed_content_is_counted(others: Bridged) -> None:
    """A counter says that something was not understood."""
    before = drop_counts.totals().get(("bridged_content", "not_understood"), 0)
    others.span(chat(None, None, {"gen_ai.output.messages": "{"}))
    assert len(others.decisions) == 1
    assert drop_counts.totals()["bridged_content", "not_understood"] - before == 1


def test_content_that_a_provider_cut_is_not_whole() -> None:
    """A text as long as the limit may have been longer; JSON that is cut cannot be read."""
    with process(SpanLimits(max_span_attribute_length=40)) as others:
        others.configure()
        others.span(chat("a longer question than that", None))
        [record] = others.decisions
    assert outcomes(record)["kind"] == ("unassessed", "content_truncated")


def test_attributes_that_a_provider_dropped_may_have_been_content() -> None:
    """Where there were too many, nobody knows what is missing."""
    with process(SpanLimits(max_span_attributes=5)) as others:
        others.configure()
        others.span({"a": 1, "b": 2, **chat("hi", "fine")})
        [record] = others.decisions
    assert outcomes(record)["quiet"] == ("unassessed", "content_truncated")


def test_huge_content_is_not_read(others: Bridged) -> None:
    """Past a bound it is left alone, and counted."""
    others.span(chat("hi", "x" * 5_000_000))
    [record] = others.decisions
    assert outcomes(record)["quiet"] == ("unassessed", "content_too_large")


def test_a_span_inside_a_call_of_ours_is_of_that_call_wherever_it_goes() -> None:
    """Another provider's span of the call that specspan meets is no second call."""
    with process() as ours, process() as theirs:
        ours.configure(bridges=[ours.tracers, theirs.tracers])
        from openai_wire import Wire, ask_sync, completion

        specspan.instrument("openai")
        ask_sync(Wire(completion("hello"), during=lambda: theirs.span(chat())))
        specspan.uninstrument()
        assert [record["call"].get("dialect") for record in ours.decisions] == [None]


def test_a_provider_may_be_forgotten() -> None:
    """What was put beside it goes with it."""
    import gc
    import weakref

    with process() as others:
        others.configure(bridges=[provider := TracerProvider(shutdown_on_exit=False)])
    gone = weakref.ref(provider)
    del provider
    others.tracers = None
    gc.collect()
    assert gone() is None


def test_a_question_is_not_decided_as_an_answer(others: Bridged) -> None:
    """What was asked is in the input, what was answered in the output."""
    others.span(chat("hello", "evil"))
    [record] = others.decisions
    assert {outcome for outcome, _ in outcomes(record).values()} == {"complied", "not_applicable"}
