"""One method that makes calls of many kinds, and answers that can be read only once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from ended_spans import Spans
from wrapt import FunctionWrapper

from specspan._support import drop_counts
from specspan.call import Message, Request, Response, Text
from specspan.instrument.adapter import Adapter
from specspan.instrument.wrapper import wrap_client_method


def ask(operation: str) -> BytesIO:
    """A client's method: what it does depends on what it is told."""
    return BytesIO(f"{operation} done".encode())


def keep(answer: Any) -> Any:
    return SimpleNamespace(said=answer.getvalue().decode(), body=answer)


def choose(instance: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Adapter | None:
    return CHAT if args[0] == "chat" else None


CHAT = Adapter(
    provider="delphi",
    request=lambda call: Request("delphi", model="pythia"),
    response=lambda answer: Response(model=answer.said, output=(Message("assistant", (Text(answer.said),)),)),
    edit_request=lambda call, edits: call,
    edit_response=lambda answer, edits: answer,
    keep=keep,
)


@pytest.fixture
def met() -> Callable[..., Any]:
    """The method, with its calls met."""
    return FunctionWrapper(ask, wrap_client_method(replace(CHAT, choose=choose), ask))


def test_the_chosen_adapter_reads_the_call(met: Callable[..., Any], spans: Spans) -> None:
    """What is kept of an answer is read for the span, and handed over still to be read."""
    assert met("chat").body.read() == b"chat done"
    assert spans.attributes("chat pythia")["gen_ai.response.model"] == "chat done"


def test_other_calls_are_left_alone(met: Callable[..., Any], spans: Spans) -> None:
    """A call that no adapter is chosen for makes no span, and its answer is not touched."""
    assert isinstance(met("list"), BytesIO)
    assert spans.all == ()


@pytest.mark.usefixtures("in_production")
def test_a_choice_that_fails(met: Callable[..., Any], spans: Spans) -> None:
    """A call that may be no model's is made without a span, where no clause fails closed; the failure is counted."""
    before = drop_counts.totals().get(("internal", "instrument.choose"), 0)
    assert met(operation="chat").read() == b"chat done"
    assert spans.all == ()
    assert drop_counts.totals()["internal", "instrument.choose"] == before + 1


@pytest.mark.usefixtures("in_production")
def test_an_answer_that_cannot_be_kept(spans: Spans) -> None:
    """It is handed over as it came."""

    def fails(answer: Any) -> Any:
        raise LookupError

    broken = replace(CHAT, keep=fails, response=lambda answer: None)
    assert FunctionWrapper(ask, wrap_client_method(broken, ask))("chat").read() == b"chat done"
    assert spans.ending("chat pythia") == "completed"
