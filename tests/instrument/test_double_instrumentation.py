"""Other people's instrumentations of OpenAI's client beside ours: the real ones, as they are published."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai_wire import Wire, ask_async, ask_sync, chunks, completion, sse
from other_instrumentations import OTHERS
from other_signals import Signals
from policies import bound, pattern, policy

from specspan.decision import Action, Mode, Stage
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.instrument.patches import is_replaced
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


THAT_GO = {name: other for name, other in OTHERS.items() if name != "openllmetry"}
"""Those that take all of theirs away; that one leaves wrappers on the client, with specspan and without."""


def replaced() -> list[str]:
    """Name every method of the client's resources that is ours at any depth of wrappers."""
    resources = [module for name, module in sys.modules.items() if name.startswith("openai.resources")]
    classes = {each for module in resources for each in vars(module).values() if isinstance(each, type)}
    return [
        f"{owner.__qualname__}.{name}"
        for owner in classes
        for name, method in list(vars(owner).items())
        if any(map(is_replaced, layers(method)))
    ]


def layers(method: Any) -> Iterator[Any]:
    """Yield a method, and what is inside it, the outermost first."""
    while method is not None:
        yield method
        method = getattr(method, "__wrapped__", None)


@pytest.mark.parametrize("signals", THAT_GO.values(), ids=THAT_GO, indirect=True)
@pytest.mark.parametrize("ours_first", [True, False], ids=["ours first", "theirs first"])
@pytest.mark.parametrize("ours_goes_first", [True, False], ids=["ours removed first", "theirs removed first"])
@pytest.mark.parametrize("ask", WAYS.values(), ids=WAYS)
@pytest.mark.table
def test_one_above_the_other_and_each_removed(
    signals: Signals, ask: Callable[[], Any], *, ours_first: bool, ours_goes_first: bool
) -> None:
    """At every step the client answers as before, and who is there traces; at the end the methods are the client's."""

    def spans() -> tuple[int, int]:
        """Return how many spans of the call there are, and how many with our decision."""
        signals.exporter.clear()
        assert ask() == answer
        found = signals.model_calls
        return len(found), sum("specspan.decision.verdict" in (span.attributes or {}) for span in found)

    answer, before = ask(), [vars(owner)["create"] for owner in (Completions, AsyncCompletions)]
    rule = policy(bound("quiet", pattern("hello", stage=Stage.OUTPUT), action=Action.BLOCK), mode=Mode.OBSERVE)
    recorder = Recorder(Settings(), tracer_provider=signals.tracers, meter_provider=signals.meters)
    activate(Pipeline(recorder, Engine(rule)))
    ours, theirs = partial(instrument, "openai"), signals.install
    for install in (ours, theirs) if ours_first else (theirs, ours):
        install()
    assert spans() == (1, 1)
    assert replaced()
    if ours_goes_first:
        uninstrument()
        assert spans() == (1, 0)
        signals.uninstall()
    else:
        signals.uninstall()
        assert spans() == (1, 1)
        uninstrument()
    assert spans() == (0, 0)
    assert replaced() == []
    after = [vars(owner)["create"] for owner in (Completions, AsyncCompletions)]
    assert all(now is then for now, then in zip(after, before, strict=True))
    recorder.shutdown()
