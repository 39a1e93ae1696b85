"""Records that are written into templates: byte for byte what building and encoding them gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from generated_decisions import make_policy
from opentelemetry.trace import INVALID_SPAN_CONTEXT, SpanContext

from specspan.call import Message, ModelCall, Reasoning, Request, Response, Text, ToolCall, Usage
from specspan.engine.engine import Engine
from specspan.record.call_end import CallRecord, EndKind, Timing
from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.record.decision_template import DecisionTemplates, encode_record

POLICY = make_policy([("be_kind", 2, False), ("be_brief", 1, True)])
TIMING = Timing(0.1, overhead_ns={"input": 10, "output": 20})
SPAN = SpanContext(0xABC << 64, 0xDEF, is_remote=False)
REQUEST = Request("openai", model="gpt-5", input=(Message("user", (Text('a "quoted" é\n'),)),))


def answered(text: str = "yes", **members: object) -> Response:
    """Return an answer of one text."""
    message = Message("assistant", (Text(text),), finish_reason="stop")
    return replace(Response("r-1", "gpt-5", (message,), usage=Usage(10, 20)), **members)  # type: ignore[arg-type]


CALLS: dict[str, ModelCall] = {
    "plain": ModelCall(REQUEST, answered()),
    "no answer": ModelCall(REQUEST),
    "no messages": ModelCall(Request("openai"), answered()),
    "no id": ModelCall(REQUEST, answered(id=None)),
    "strange id": ModelCall(REQUEST, answered(id='ü"%b\ud800')),
    "other counters": ModelCall(
        REQUEST, answered(usage=Usage(reasoning_output_tokens=0, cache_read_input_tokens=2**60))
    ),
    "model with a percent sign": ModelCall(replace(REQUEST, model="100%b"), answered()),
    "reasoning": ModelCall(REQUEST, answered(output=(Message("assistant", (Reasoning("hm"), Text("yes"))),))),
    "tool call": ModelCall(REQUEST, answered(output=(Message("assistant", (ToolCall("search", {"q": [1.5]}),)),))),
    "many texts": ModelCall(REQUEST, answered("x" * 40_000)),
}


@pytest.fixture
def builder() -> RecordBuilder:
    """A builder that knows a policy."""
    made = RecordBuilder(Service("desk", "7"), digest_key=b"k" * 80)
    made.add_policy(PolicyActivation(POLICY, 1))
    return made


@pytest.fixture
def record_of() -> Callable[..., CallRecord]:
    """What the engine decides about a call."""
    engine = Engine(POLICY)

    def decide(call: ModelCall, span: SpanContext = SPAN, timing: Timing = TIMING) -> CallRecord:
        return CallRecord(span, call, engine.open().decide(), EndKind.COMPLETED, None, timing)

    return decide


@pytest.mark.parametrize("span", [SPAN, INVALID_SPAN_CONTEXT], ids=["traced", "untraced"])
@pytest.mark.parametrize("name", CALLS)
def test_a_template_gives_the_bytes_of_the_record(
    builder: RecordBuilder, record_of: Callable[..., CallRecord], name: str, span: SpanContext
) -> None:
    """The first, second and third call of a shape are encoded to what their records are."""
    for _ in range(3):
        record = record_of(CALLS[name], span)
        encoded = builder.encode(record)
        built = builder.build(record)
        assert encoded.data == encode_record(built)
        assert (encoded.id, encoded.policy) == (built["id"], built["policy"]["record"])


def test_calls_of_one_shape_share_a_template(
    builder: RecordBuilder, record_of: Callable[..., CallRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the third call on no record is built, whatever the text, the ids and the numbers of tokens are."""
    for text in ("a", "b"):
        builder.encode(record_of(ModelCall(REQUEST, answered(text))))
    monkeypatch.setattr(DecisionTemplates, "_make", None)
    data = {
        builder.encode(record_of(ModelCall(REQUEST, answered(text, usage=Usage(number, number))))).data
        for number, text in enumerate(("c", "d"))
    }
    assert len(data) == 2
