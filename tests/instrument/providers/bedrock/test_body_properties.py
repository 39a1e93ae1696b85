"""Whatever Bedrock is asked and answers: nothing fails in specspan, and the application gets what was sent."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from bedrock_bodies import PLAIN, STREAMED
from bedrock_wire import Wire, client, pieces
from ended_spans import Spans
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from policies import bound, pattern, policy

from specspan.decision import Action, Stage
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("bedrock_instrumented", "spans")

LEAVES = st.none() | st.booleans() | st.integers(-2, 9) | st.floats(allow_nan=False) | st.text(max_size=9)
KEYS = st.sampled_from(["type", "text", "content", "role", "usage", "choices", "messages", "output", "id", "index"])
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
NO_VOWELS = policy(bound("mute", pattern("[aeiou]"), pattern("[aeiou]", stage=Stage.INPUT), action=Action.REDACT))
anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damaged(draw: st.DrawFn, whole: Any) -> Any:
    """JSON of which something is missing, or something else."""
    copied = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        places = list(walk(copied))
        inner, key = draw(st.sampled_from(places)) if places else (None, None)
        if isinstance(inner, dict) and draw(st.booleans()):
            del inner[key]
        elif inner is not None:
            inner[key] = draw(JSON)
    return copied


def walk(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in JSON: what it stands in, and where."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from walk(value[key])


ASKED = st.sampled_from([each[0] for each in PLAIN.values()]).flatmap(damaged)
ANSWERED = st.sampled_from([each[1] for each in PLAIN.values()]).flatmap(damaged)
SAID = st.sampled_from([each[1] for each in STREAMED.values()]).flatmap(damaged)


@anything
@given(asked=ASKED, body=ANSWERED)
def test_any_body(spans: Spans, asked: Any, body: Any) -> None:
    """Is sent and handed over byte by byte."""
    spans.clear()
    wire = Wire(json.dumps(body).encode())
    answer = client(wire).invoke_model(modelId="m", body=json.dumps(asked))
    assert answer["body"].read() == wire.body
    assert wire.requests == [asked]
    assert len(spans.all) == 1


@anything
@given(said=SAID)
def test_any_pieces(spans: Spans, said: Any) -> None:
    """Are handed over as they came."""
    spans.clear()
    wire = Wire(b"".join(pieces(*said)))
    answer = client(wire).invoke_model_with_response_stream(modelId="m", body=b'{"prompt": "hi"}')
    assert [json.loads(event["chunk"]["bytes"]) for event in answer["body"]] == said
    assert len(spans.all) == 1


@anything
@given(asked=ASKED, body=ANSWERED)
def test_any_body_is_edited(asked: Any, body: Any) -> None:
    """Whatever stands around a text, it can be taken out."""
    with recorded(NO_VOWELS):
        answer = client(Wire(json.dumps(body).encode())).invoke_model(modelId="m", body=json.dumps(asked))
        answer["body"].read()


@anything
@given(said=SAID)
def test_any_pieces_are_cut(said: Any) -> None:
    """So can a stream be cut at any piece."""
    with recorded(NO_VOWELS):
        answer = client(Wire(b"".join(pieces(*said)))).invoke_model_with_response_stream(modelId="m", body=b"{}")
        list(answer["body"])
