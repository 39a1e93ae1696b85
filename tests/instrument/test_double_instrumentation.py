"""Other people's instrumentations of OpenAI's client beside ours: the real ones, as they are published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai_wire import Wire, ask_async, ask_sync, chunks, completion, sse
from other_instrumentations import OTHERS
from other_signals import Signals
from policies import bound, pattern, policy

from specspan.decision import Action, Mode, Stage
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings


@pytest.fixture(params=list(OTHERS.values()), ids=list(OTHERS))
def signals(request: pytest.FixtureRequest) -> Iterator[Signals]:
    """Another instrumentation, not yet installed."""
    with request.param() as found:
        yield found
        uninstrument()
        activate(None)


WAYS: dict[str, Callable[[], Any]] = {
    "plain": lambda: ask_sync(Wire(completion())),
    "streamed": lambda: ask_sync(Wire(sse(chunks("hello"))), stream=True, stream_options={"include_usage": True}),
    "async": lambda: ask_async(Wire(completion())),
    "async streamed": lambda: ask_async(
        Wire(sse(chunks("hello"))), stream=True, stream_options={"include_usage": True}
    ),
}


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
def test_one_span_and_one_measurement(signals: Signals, ask: Callable[[], Any], *, ours_first: bool) -> None:
    """A call has one span, with the decision and the usage on it, and is measured once."""
    rule = policy(bound("quiet", pattern("hello", stage=Stage.OUTPUT), action=Action.BLOCK), mode=Mode.OBSERVE)
    recorder = Recorder(Settings(), tracer_provider=signals.tracers, meter_provider=signals.meters)
    activate(Pipeline(recorder, Engine(rule)))
    if ours_first:
        instrument("openai")
    signals.install()
    instrument("openai")
    ask()
    (span,) = signals.model_calls
    found = span.attributes or {}
    assert found["specspan.decision.verdict"] == "violated"
    assert (found["gen_ai.usage.input_tokens"], found["gen_ai.usage.output_tokens"]) == (12, 5)
    assert recorder.force_flush(5)
    assert signals.measured("gen_ai.client.token.usage") == {"input": 1, "output": 1}
    assert signals.measured("gen_ai.client.operation.duration") == {"None": 1}
    recorder.shutdown()


def test_they_trace_by_themselves(signals: Signals) -> None:
    """Without ours, each of them makes a span: there is something to be told apart."""
    signals.install()
    ask_sync(Wire(completion()))
    (span,) = signals.model_calls
    assert "specspan.decision.verdict" not in (span.attributes or {})
