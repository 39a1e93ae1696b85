"""Answers of which ``parse`` cannot make the object that was asked for: they are recorded and decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from mistralai.client import Mistral
from openai import ContentFilterFinishReasonError, LengthFinishReasonError
from openai_wire import Wire, completion, response
from policies import bound, pattern, policy
from pydantic import BaseModel, ValidationError

import specspan
from specspan.decision import Action
from specspan.errors import Blocked
from specspan.policy.policy import OnError, Policy
from specspan.testing.memory import Recorded, recorded

pytestmark = pytest.mark.usefixtures("openai_instrumented")

SECRET = "123-45-6789"


class Reply(BaseModel):
    """Shape that is asked for."""

    reply: str


def chat_sync(wire: Wire) -> Any:
    with wire.sync_client() as client:
        return client.chat.completions.parse(
            model="gpt-test", messages=[{"role": "user", "content": "hi"}], response_format=Reply
        )


def chat_async(wire: Wire) -> Any:
    async def parse() -> Any:
        async with wire.async_client() as client:
            return await client.chat.completions.parse(
                model="gpt-test", messages=[{"role": "user", "content": "hi"}], response_format=Reply
            )

    return asyncio.run(parse())


def responses(wire: Wire) -> Any:
    with wire.sync_client() as client:
        return client.responses.parse(model="gpt-test", input="hi", text_format=Reply)


def chat_body(text: str, finish: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "refusal": None}
    return completion(choices=[{"index": 0, "message": message, "finish_reason": finish}])


CASES: list[Any] = [
    pytest.param(parse, body, error, id=f"{parse.__name__}-{error.__name__}")
    for parse in (chat_sync, chat_async)
    for body, error in (
        (lambda text: chat_body(text, "length"), LengthFinishReasonError),
        (lambda text: chat_body(text, "content_filter"), ContentFilterFinishReasonError),
        (lambda text: chat_body(text, "stop"), ValidationError),
    )
] + [pytest.param(responses, response, ValidationError, id="responses-ValidationError")]


def rule(action: Action, on_error: OnError = OnError.OPEN) -> Policy:
    check = pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn")
    return policy(bound("privacy", check, action=action, on_error=on_error))


def decision_of(record: Recorded) -> tuple[str, str]:
    (decision,) = record.decisions
    return decision["verdict"], decision["action"]


@pytest.mark.parametrize(("parse", "body", "error"), CASES)
def test_the_answer_is_recorded(
    parse: Callable[[Wire], Any], body: Callable[[str], dict[str, Any]], error: type[Exception]
) -> None:
    """The application gets the client's error; the span has model, id and tokens, and the clause complied."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(error):
        parse(Wire(body('{"words": "x"}')))
    (span,) = record.spans
    found = span.attributes or {}
    assert str(found["error.type"]).endswith(error.__name__)
    assert found["gen_ai.response.model"] == "gpt-test-2026"
    assert found["gen_ai.response.id"]
    assert found["gen_ai.usage.input_tokens"] == 12
    assert found["gen_ai.response.finish_reasons"]
    assert decision_of(record) == ("complied", "allow")


@pytest.mark.parametrize(("parse", "body", "error"), CASES)
def test_a_blocked_answer(
    parse: Callable[[Wire], Any], body: Callable[[str], dict[str, Any]], error: type[Exception]
) -> None:
    """`Blocked` stands in place of the error, which holds the text, and does not lead to it."""
    with recorded(rule(Action.BLOCK)) as record, pytest.raises(Blocked) as blocked:
        parse(Wire(body(f'{{"words": "{SECRET}"}}')))
    assert blocked.value.__context__ is None
    assert decision_of(record) == ("violated", "block")


@pytest.mark.parametrize(
    ("on_error", "raised"), [(OnError.OPEN, ValidationError), (OnError.CLOSED, Blocked)], ids=["open", "closed"]
)
def test_the_text_of_an_error_cannot_be_edited(on_error: OnError, raised: type[Exception], in_production: None) -> None:
    """A clause that asks for an edit fails, as it says."""
    with recorded(rule(Action.REDACT, on_error)) as record, pytest.raises(raised):
        chat_sync(Wire(chat_body(f'{{"words": "{SECRET}"}}', "stop")))
    assert decision_of(record) == ("error", "block" if raised is Blocked else "allow")


def test_a_raw_answer_that_cannot_be_parsed() -> None:
    """The body is decided; the application gets the error when it parses the body itself."""
    with recorded(rule(Action.BLOCK)) as record, Wire(chat_body('{"words": "x"}', "stop")).sync_client() as client:
        raw = client.chat.completions.with_raw_response.parse(
            model="gpt-test", messages=[{"role": "user", "content": "hi"}], response_format=Reply
        )
        with pytest.raises(ValidationError):
            raw.parse()
    assert decision_of(record) == ("complied", "allow")


def test_mistral_too() -> None:
    """Mistral's client asks first and parses then: what it asked for is the answer."""
    specspan.instrument("mistral")
    body = chat_body(f'{{"words": "{SECRET}"}}', "stop")
    http: Any = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    with recorded(rule(Action.BLOCK)) as record, Mistral(api_key="test", client=http) as client:
        with pytest.raises(Blocked):
            client.chat.parse(Reply, model="m", messages=[{"role": "user", "content": "hi"}])
    assert decision_of(record) == ("violated", "block")


def test_errors_without_an_answer() -> None:
    """A refused request and a body that is no JSON are errors as they were."""
    for wire in (Wire({"error": {"message": "no"}}, status=400), Wire("no JSON")):
        with recorded(rule(Action.BLOCK)) as record, pytest.raises(Exception) as raised:
            chat_sync(wire)
        assert not isinstance(raised.value, Blocked)
        (span,) = record.spans
        assert "gen_ai.response.model" not in (span.attributes or {})
