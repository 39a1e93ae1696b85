"""Whatever fails inside specspan: the call is made once, its answer arrives, its span ends, and the loss is counted."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from ended_spans import Spans
from openai_wire import Ask, Wire, chunks, completion, sse
from policies import bound, pattern, policy

from specspan._support import drop_counts
from specspan.decision import Action, Mode, Stage
from specspan.engine.evaluation import Evaluation
from specspan.engine.stream_check import StreamCheck
from specspan.instrument import install
from specspan.instrument.decorators import observe
from specspan.instrument.formats import openai_chat_stream as _chat_stream
from specspan.instrument.providers import openai as provider
from specspan.record import attributes
from specspan.record.recorder import Recorder
from specspan.testing.memory import Recorded, recorded

pytestmark = pytest.mark.usefixtures("in_production")

ENFORCED = policy(
    bound("privacy", pattern("secret"), pattern("secret", stage=Stage.INPUT), action=Action.BLOCK), mode=Mode.ENFORCE
)


class Bug(Exception):
    """A mistake of ours."""


def fails(*_: Any, **__: Any) -> Any:
    raise Bug


@pytest.fixture
def record() -> Iterator[Recorded]:
    with recorded(ENFORCED) as record:
        yield record


@pytest.fixture
def break_adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Instruments the client with an adapter of which one function fails."""

    def break_(part: str) -> None:
        adapter = provider.ADAPTERS[0]
        broken: dict[str, Any] = {part: fails}
        if not hasattr(adapter, part):
            assert adapter.streaming is not None
            broken = {"streaming": replace(adapter.streaming, **broken)}
        monkeypatch.setattr(provider, "ADAPTERS", (replace(adapter, **broken),))
        install.instrument("openai")

    yield break_
    install.uninstrument()


def internal_losses() -> int:
    return sum(number for (what, _), number in drop_counts.totals().items() if what == "internal")


def check(record: Recorded, ask: Ask, *, stream: bool) -> None:
    """The call is as if nothing were there, but for its one span and the count of what failed."""
    lost = internal_losses()
    wire = Wire(sse(chunks("hel", "lo")) if stream else completion("hello"))
    answer = ask(wire, stream=stream)
    gc.collect()
    assert len(wire.requests) == 1
    texts = [each.choices[0].delta.content or "" for each in answer if each.choices] if stream else None
    assert ("".join(texts) if texts is not None else answer.choices[0].message.content) == "hello"
    assert len(record.spans) == 1
    assert internal_losses() > lost


@pytest.mark.parametrize(
    ("part", "stream"),
    [
        ("request", False),
        ("request", True),
        ("response", False),
        ("response", True),
        ("accumulator", True),
        ("new_texts", True),
        ("find_stream", False),
        ("find_stream", True),
        ("keep", True),
    ],
)
def test_an_adapter_that_fails(
    ask: Ask, record: Recorded, break_adapter: Callable[[str], None], part: str, *, stream: bool
) -> None:
    """A provider's answer that its adapter cannot read is the application's all the same."""
    break_adapter(part)
    check(record, ask, stream=stream)


def test_a_request_that_could_not_be_read_is_an_error(ask: Ask, break_adapter: Callable[[str], None]) -> None:
    """A clause about an input that could not be read did not find it empty."""
    break_adapter("request")
    with recorded(policy(bound("privacy", pattern("secret", stage=Stage.INPUT)))) as record:
        ask(Wire(completion("hello")))
    (decision,) = record.decisions
    assert [(finding["outcome"], finding["reason"]) for finding in decision["findings"]] == [("error", "internal")]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (Evaluation, "input"),
        (Evaluation, "output"),
        (Evaluation, "decide"),
        (Recorder, "end_call"),
        (attributes, "at_start"),
        (attributes, "at_end"),
    ],
)
def test_an_engine_or_a_recorder_that_fails(
    ask: Ask, record: Recorded, monkeypatch: pytest.MonkeyPatch, owner: Any, method: str, *, stream: bool
) -> None:
    """Whatever stage fails, the answer is handed over."""
    install.instrument("openai")
    if (owner, method) == (Recorder, "end_call"):
        end_call = Recorder.end_call

        def ends_and_fails(*args: Any) -> None:
            end_call(*args)
            raise Bug

        monkeypatch.setattr(owner, method, ends_and_fails)
    else:
        monkeypatch.setattr(owner, method, fails)
    try:
        if method == "at_start":
            check_without_span(ask, stream=stream)
        else:
            check(record, ask, stream=stream)
    finally:
        install.uninstrument()


def check_without_span(ask: Ask, *, stream: bool) -> None:
    wire = Wire(sse(chunks("hel", "lo")) if stream else completion("hello"))
    assert ask(wire, stream=stream)
    assert len(wire.requests) == 1


@pytest.mark.parametrize(
    ("owner", "method"),
    [(Evaluation, "stream"), (StreamCheck, "feed"), (_chat_stream.ChatAccumulator, "add")],
)
def test_a_stream_that_cannot_be_watched(
    ask: Ask, record: Recorded, monkeypatch: pytest.MonkeyPatch, owner: Any, method: str
) -> None:
    """Every chunk is handed over."""
    install.instrument("openai")
    monkeypatch.setattr(owner, method, fails)
    try:
        check(record, ask, stream=True)
    finally:
        install.uninstrument()


def test_a_decorated_function(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose span cannot be made or ended still returns."""

    @observe
    def work() -> str:
        return "done"

    monkeypatch.setattr(attributes, "add_context", fails)
    assert work() == "done"
    monkeypatch.undo()
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS", raising=False)
    monkeypatch.setattr(attributes, "add_ending", fails)
    assert work() == "done"
    assert len(spans.all) == 1
