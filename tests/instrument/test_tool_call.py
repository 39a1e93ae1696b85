"""`tool_call`: a tool is decided before it runs, and its run is a span."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import SpanKind, StatusCode
from policies import bound, pattern, policy, says

import specspan
from specspan.checks.registry import kinds
from specspan.decision import Action, Mode, Outcome, Stage
from specspan.instrument.gate import Pipeline, activate
from specspan.policy.policy import Policy
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings
from specspan.testing import recorded

IN_SCOPE = kinds()["scope"].build("autonomy", {})
SEARCH = specspan.ScopeOfAutonomy(("search",), {"search": {"limit": specspan.ArgumentLimit(max=10)}})
RAN: list[Any] = []


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


def rules(action: Action = Action.BLOCK, mode: Mode = Mode.ENFORCE) -> Policy:
    return policy(bound("autonomy", IN_SCOPE, action=action), mode=mode)


@specspan.tool_call("search")
def search(query: str, limit: int = 20, **more: str) -> str:
    RAN.append((query, limit, more, trace.get_current_span()))
    return f"{limit} of {query}"


@specspan.tool_call("search")
async def search_slowly(query: str, limit: int = 20) -> str:
    await asyncio.sleep(0)
    RAN.append((query, limit))
    return f"{limit} of {query}"


def test_within_its_scope_a_tool_runs() -> None:
    """The span says what ran, under which scope and with which decision, and is current meanwhile."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        assert search("shoes", limit=3, colour="red") == "3 of shoes"
    (span,) = record.spans
    assert span.attributes is not None
    assert (span.name, span.kind, span.status.status_code) == (
        "execute_tool search",
        SpanKind.INTERNAL,
        StatusCode.UNSET,
    )
    assert span.attributes["gen_ai.operation.name"] == "execute_tool"
    assert span.attributes["gen_ai.tool.name"] == "search"
    assert span.attributes["specspan.scope.allowed_tools"] == "search"
    assert span.attributes["specspan.scope.trust"] == "local"
    assert span.attributes["specspan.decision.verdict"] == "complied"
    ((query, limit, more, current),) = RAN
    assert (query, limit, more) == ("shoes", 3, {"colour": "red"})
    assert current.get_span_context() == span.get_span_context()


@pytest.mark.parametrize("arguments", [(), (11,)])
def test_out_of_scope_it_does_not_run(arguments: tuple[int, ...]) -> None:
    """The call raises before the body is entered; a default counts as the argument that it is."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        with pytest.raises(specspan.Blocked) as blocked:
            search("shoes", *arguments)
    assert RAN == []
    assert blocked.value.decision.reason == "argument_over_limit"
    (span,) = record.spans
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "specspan.blocked")
    call = record.decisions[0]["call"]
    assert (call["operation"], call["tool"], call["scope"]["trust"]) == ("execute_tool", "search", "local")
    assert call["scope"]["digest"] == (span.attributes or {})["specspan.scope.digest"]


def test_in_observe_mode_it_runs() -> None:
    """What enforce mode would have done is recorded."""
    with recorded(rules(mode=Mode.OBSERVE)) as record, specspan.context(scope=SEARCH):
        assert search("shoes") == "20 of shoes"
    attributes = record.spans[0].attributes or {}
    assert (attributes["specspan.decision.action"], attributes["specspan.decision.would"]) == ("flag", "block")


async def test_coroutines_are_decided_too() -> None:
    """A check with a time limit does not block the event loop, and a stopped coroutine never starts."""
    slow = policy(bound("autonomy", IN_SCOPE, says(True, Stage.TOOL_CALL, timeout_s=5.0), action=Action.BLOCK))
    with recorded(slow) as record, specspan.context(scope=SEARCH):
        assert await search_slowly("shoes", 3) == "3 of shoes"
        with pytest.raises(specspan.Blocked):
            await search_slowly("shoes", 30)
        async with specspan.tool_call("search", {"limit": 4}):
            RAN.append("in the block")
        with pytest.raises(specspan.Blocked):
            async with specspan.tool_call("search", {"limit": 40}):
                RAN.append("never")
    assert RAN == [("shoes", 3), "in the block"]
    assert [span.name for span in record.spans] == ["execute_tool search"] * 4


def test_a_block_names_its_tool_call() -> None:
    """Where the model's answer gave the call an id, the span carries it."""
    with recorded(rules()) as record:
        with specspan.tool_call("refund", {"amount": 20}, call_id="call_7"):
            RAN.append(20)
    assert (record.spans[0].attributes or {})["gen_ai.tool.call.id"] == "call_7"
    assert record.decisions[0]["findings"][0]["outcome"] == Outcome.NOT_APPLICABLE


def test_methods_are_tools_as_well() -> None:
    """What a method is bound to is none of its arguments."""

    class Shop:
        @specspan.tool_call("refund")
        def refund(self, amount: int, /, *reasons: str) -> tuple[object, ...]:
            return amount, reasons

    only = says(lambda: None, Stage.TOOL_CALL)
    with recorded(policy(bound("autonomy", only))) as record:
        assert Shop().refund(5, "late", "broken") == (5, ("late", "broken"))
    assert record.decisions[0]["call"]["output_digest"]


@pytest.mark.parametrize("action", [Action.REDACT, Action.REPLACE, Action.ESCALATE])
def test_no_tool_runs_with_what_was_to_be_hidden(action: Action) -> None:
    """Arguments are not rewritten: what else would be redacted is stopped."""
    private = policy(bound("privacy", pattern(r"\d{4}", stage=Stage.TOOL_CALL, reason="pin"), action=action))
    with recorded(private), pytest.raises(specspan.Blocked) as blocked:
        search("pin 1234")
    assert RAN == []
    assert blocked.value.decision.reason == "pin"


def test_no_argument_hides_another() -> None:
    """Where a keyword has the name of a parameter that takes none, it is the parameter that is decided about."""

    @specspan.tool_call("refund")
    def refund(amount: int, /, **more: int) -> int:
        return amount

    fifty = specspan.ScopeOfAutonomy(limits={"refund": {"amount": specspan.ArgumentLimit(max=50)}})
    with recorded(rules()), specspan.context(scope=fifty):
        assert refund(20, amount=80) == 20
        assert refund(20, colour=1) == 20
        with pytest.raises(specspan.Blocked):
            refund(80, amount=20)


def test_a_tool_that_fails_fails() -> None:
    """Its own exception comes through unchanged, and the span names it."""
    failure = LookupError("nothing found")
    with recorded(rules()) as record:
        with pytest.raises(LookupError) as raised, specspan.tool_call("search"):
            raise failure
    assert raised.value is failure
    assert (record.spans[0].attributes or {})["error.type"] == "LookupError"


def test_wrong_arguments_are_the_callers_mistake() -> None:
    """A call that the function could not take raises what it always raised, and nothing is recorded."""
    with recorded(rules()) as record, pytest.raises(TypeError, match="missing a required argument"):
        search()  # type: ignore[call-arg]  # that is the mistake
    assert record.spans == ()


def test_until_it_is_configured_nothing_happens() -> None:
    """Function and block are as if they were bare."""
    assert search("shoes") == "20 of shoes"
    with specspan.tool_call("search", {"a": 1}):
        RAN.append("in the block")
    assert RAN[-1] == "in the block"


def test_generator_functions_are_refused() -> None:
    """One is told to use a block in its body."""

    def words() -> Iterator[str]:
        yield "w"

    with pytest.raises(TypeError, match="use 'with' inside its body"):
        specspan.tool_call("words")(words)


def test_a_run_is_no_client_call() -> None:
    """It counts as a decision and under its scope's trust; clients' durations are of models alone."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    activate(Pipeline(Recorder(Settings(), meter_provider=provider)))
    with specspan.context(scope=SEARCH):
        search("shoes")
    found = reader.get_metrics_data()
    activate(None)
    provider.shutdown()
    assert found is not None
    (scope,) = found.resource_metrics[0].scope_metrics
    points = {
        metric.name: [dict(each.attributes or {}) for each in metric.data.data_points] for metric in scope.metrics
    }
    assert points["specspan.scopes"] == [{"specspan.scope.trust": "local"}]
    assert "gen_ai.client.operation.duration" not in points
