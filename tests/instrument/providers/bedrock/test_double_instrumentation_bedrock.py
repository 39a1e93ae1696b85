"""OpenTelemetry's instrumentation of ``botocore``, which knows Amazon Bedrock, beside ours."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bedrock_wire import Wire, answered, client, conversation, events, pieces
from botocore.exceptions import ClientError
from other_signals import Signals, instrumentor
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action, Mode, Stage
from specspan.engine.engine import Engine
from specspan.errors import Blocked
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

pytestmark = pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])

ASKED: Any = {"modelId": "amazon.nova-x", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
INVOKED: Any = {
    "modelId": "anthropic.claude-x",
    "body": json.dumps({"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
}
USAGE = {"input_tokens": 3, "output_tokens": 7}
MESSAGE = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": USAGE}
STREAMED = (
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 7}},
)


def converse() -> Any:
    return client(Wire(answered("hello"))).converse(**ASKED)


def converse_stream() -> Any:
    body = b"".join(events(*conversation(["hel", "lo"])))
    return list(client(Wire(body)).converse_stream(**ASKED)["stream"])


def invoke() -> Any:
    answer = {**MESSAGE, "content": [{"type": "text", "text": "hello"}], "stop_reason": "end_turn"}
    return client(Wire(answer)).invoke_model(**INVOKED)["body"].read()


def invoke_stream() -> Any:
    wire = Wire(b"".join(pieces(*STREAMED)))
    return list(client(wire).invoke_model_with_response_stream(**INVOKED)["body"])


WAYS = [converse, converse_stream, invoke, invoke_stream]
ways = pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)


@pytest.fixture
def signals() -> Iterator[Signals]:
    """The other instrumentation, not yet installed."""
    with instrumentor("opentelemetry.instrumentation.botocore", "BotocoreInstrumentor") as found:
        yield found
        uninstrument()
        activate(None)


def installed(signals: Signals, *, ours_first: bool, mode: Mode = Mode.OBSERVE) -> Recorder:
    """Both of them, under a policy that the answers violate."""
    rule = policy(bound("quiet", pattern("hello", stage=Stage.OUTPUT), action=Action.BLOCK), mode=mode)
    recorder = Recorder(Settings(), tracer_provider=signals.tracers, meter_provider=signals.meters)
    activate(Pipeline(recorder, Engine(rule)))
    if ours_first:
        instrument("bedrock")
    signals.install()
    instrument("bedrock")
    return recorder


@ways
def test_one_span_and_one_measurement(signals: Signals, ask: Callable[[], Any], *, ours_first: bool) -> None:
    """A call has one span, with the decision and the usage on it, and is measured once."""
    before = drop_counts.totals()
    recorder = installed(signals, ours_first=ours_first)
    ask()
    (span,) = signals.exporter.get_finished_spans()
    found = span.attributes or {}
    assert found["specspan.decision.verdict"] == "violated"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (3, 7)
    assert recorder.force_flush(5)
    assert signals.measured("gen_ai.client.token.usage") == {"input": 1, "output": 1}
    assert signals.measured("gen_ai.client.operation.duration") == {"None": 1}
    recorder.shutdown()
    assert drop_counts.totals() == before


@ways
def test_what_is_stopped(signals: Signals, ask: Callable[[], Any], *, ours_first: bool) -> None:
    """The application gets what the policy says; so does the one span, though nobody else would end a stream's."""
    recorder = installed(signals, ours_first=ours_first, mode=Mode.ENFORCE)
    with pytest.raises(Blocked):
        ask()
    (span,) = signals.exporter.get_finished_spans()
    assert (span.attributes or {})["specspan.decision.action"] == "block"
    assert recorder.force_flush(5)
    recorder.shutdown()


def test_a_stream_that_is_let_go_of(signals: Signals, *, ours_first: bool) -> None:
    """Nobody else would end its span."""
    recorder = installed(signals, ours_first=ours_first)
    stream = client(Wire(b"".join(events(*conversation(["hel", "lo"]))))).converse_stream(**ASKED)["stream"]
    next(iter(stream))
    del stream
    gc.collect()
    (span,) = signals.exporter.get_finished_spans()
    assert (span.attributes or {})["specspan.stream.end"] == "abandoned"
    recorder.shutdown()


def test_a_call_that_fails(signals: Signals, *, ours_first: bool) -> None:
    """The service's error is one span's."""
    recorder = installed(signals, ours_first=ours_first)
    with pytest.raises(ClientError):
        client(Wire({"message": "no such model"}, status=404)).converse(**ASKED)
    (span,) = signals.exporter.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "ClientError"
    recorder.shutdown()


def test_other_services_are_theirs_alone(signals: Signals, *, ours_first: bool) -> None:
    """A call of another service has the span that it would have had."""
    recorder = installed(signals, ours_first=ours_first)
    client(Wire({"TableNames": []}), "dynamodb").list_tables()
    (span,) = signals.exporter.get_finished_spans()
    assert span.name == "DynamoDB.ListTables"
    assert not any(name.startswith("specspan.") for name in span.attributes or {})
    recorder.shutdown()
