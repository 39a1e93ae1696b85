"""An application that runs in trio: its calls are decided as they are in asyncio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from http_libraries import openai_http
from openai import AsyncOpenAI
from openai_wire import chunks, completion, sse, text_in
from policies import bound, pattern, policy, says

from specspan.decision import Action
from specspan.errors import Blocked
from specspan.instrument.install import instrument, uninstrument
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

trio = pytest.importorskip("trio")
# the client leaves a generator of its own unfinished at the end of every stream, of which trio warns
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    """The client is instrumented during these tests."""
    instrument("openai")
    yield
    uninstrument()


async def answer(request: Any) -> Any:
    await trio.lowlevel.checkpoint()
    if b'"stream":true' in request.content.replace(b" ", b""):
        headers = {"content-type": "text/event-stream"}
        return openai_http.Response(200, headers=headers, text=sse(chunks("one ", "two ", "three")))
    return openai_http.Response(200, json=completion("one two three"))


async def ask(*, stream: bool) -> str:
    transport = openai_http.MockTransport(answer)
    async with AsyncOpenAI(api_key="k", http_client=openai_http.AsyncClient(transport=transport)) as client:
        if not stream:
            return (await client.chat.completions.create(**ASKED)).choices[0].message.content or ""
        return "".join([text_in(each) async for each in await client.chat.completions.create(**ASKED, stream=True)])


def rules(*, answers: bool) -> Policy:
    return policy(bound("slow", says(answers, timeout_s=10.0), action=Action.BLOCK))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
def test_a_timed_check_is_waited_for(*, stream: bool) -> None:
    """The answer is handed over when the check has said that it complies."""
    with recorded(rules(answers=True)) as record:
        assert trio.run(lambda: ask(stream=stream)) == "one two three"
    assert [decision["verdict"] for decision in record.decisions] == ["complied"]


def test_a_violation_blocks() -> None:
    """The answer is not handed over."""
    with recorded(rules(answers=False)) as record, pytest.raises(Blocked):
        trio.run(lambda: ask(stream=False))
    assert [decision["verdict"] for decision in record.decisions] == ["violated"]


def test_a_stream_is_cut() -> None:
    """The chunk that completes a violation is not handed over, and the connection is closed."""
    with recorded(policy(bound("quiet", pattern("two", reason="word"), action=Action.REDACT))):
        assert trio.run(lambda: ask(stream=True)) == "one [redacted:word]"


def test_a_call_that_is_cancelled_while_a_check_takes_its_time() -> None:
    """The wait ends with the scope that is cancelled, and the call is recorded as cancelled."""
    never = says(True, timeout_s=10.0)

    async def give_up() -> None:
        with trio.move_on_after(0):
            await ask(stream=False)

    with recorded(policy(bound("slow", never))) as record:
        trio.run(give_up)
    (span,) = record.spans
    assert (span.attributes or {})["error.type"] in ("Cancelled", "CancelledError")
