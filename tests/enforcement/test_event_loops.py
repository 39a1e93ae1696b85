"""Every async client under every event loop: its answers are decided, and a check with a time limit is waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import pytest
from enforcement_http import Service
from enforcement_output import Output
from enforcement_policies import MARKER, policy
from enforcement_runner import decisions_of
from enforcement_table import AFTER, BEFORE, wire_of
from policies import bound, says
from policies import policy as policy_of

import specspan
from specspan.decision import Action
from specspan.engine.stream_check import StreamCheck
from specspan.errors import Blocked
from specspan.policy.policy import Policy
from specspan.testing import recorded

trio = pytest.importorskip("trio")
# some clients leave generators of their own unfinished at the end of a stream, of which trio warns
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

WIRES = (
    "anthropic",
    "cohere",
    "google",
    "groq",
    "mistral",
    "ollama",
    "openai_chat",
    "openai_completions",
    "openai_responses",
    "together",
)
LOOPS: dict[str, Callable[[Callable[[], Any]], Any]] = {
    "asyncio": lambda ask: asyncio.run(ask()),
    "trio": trio.run,
    "anyio": partial(anyio.run, backend="trio"),
}

OF_ASYNCIO_ALONE = (("mistral", "trio"), ("mistral", "anyio"))
"""Clients that ask for the event loop of asyncio themselves."""


def asked(wire: str, mode: str, loop: str) -> Output:
    """Return what a client hands over that is awaited in an event loop."""
    found, output = wire_of(wire), Output()
    is_stream = mode == "async_stream"
    sends = found.stream(BEFORE, AFTER) if is_stream else found.answer(BEFORE + AFTER)
    service = Service(found.encode(sends), is_stream)
    try:
        LOOPS[loop](lambda: found.modes[mode](service, output, {}))
    except Exception as error:
        output.error = error
    return output


def rules(*, answers: bool) -> Policy:
    """Return a policy with a check that answers on a thread of its own."""
    return policy_of(bound("slow", says(answers, timeout_s=20.0), action=Action.BLOCK))


@pytest.mark.parametrize(
    ("wire", "loop"), [(wire, loop) for wire in WIRES for loop in LOOPS if (wire, loop) not in OF_ASYNCIO_ALONE]
)
@pytest.mark.parametrize("mode", ["async", "async_stream"])
@pytest.mark.table
def test_a_timed_check_is_waited_for(wire: str, mode: str, loop: str) -> None:
    """What complies is handed over unchanged, and of what does not an answer that is whole is withheld."""
    alone = asked(wire, mode, loop)
    assert alone.error is None, f"the client does not work under {loop} by itself"
    assert alone.has(BEFORE)
    with recorded(rules(answers=True)) as record:
        output = asked(wire, mode, loop)
        assert (output.error, output.chunks) == (None, alone.chunks)
        assert [each["verdict"] for each in decisions_of(record)] == ["complied"]
    with recorded(rules(answers=False)) as record:
        output = asked(wire, mode, loop)
        assert [each["verdict"] for each in decisions_of(record)] == ["violated"]
    assert isinstance(output.error, Blocked) or mode == "async_stream"


@pytest.mark.parametrize(("wire", "loop"), OF_ASYNCIO_ALONE)
def test_a_client_of_asyncio_alone_fails_by_itself(wire: str, loop: str) -> None:
    """It raises the same without specspan: should it come to work there, it belongs among the others."""
    specspan.uninstrument()
    try:
        assert repr(asked(wire, "async", loop).error) == "RuntimeError('no running event loop')"
    finally:
        specspan.instrument()


@pytest.mark.parametrize(
    ("wire", "loop"), [(wire, loop) for wire in WIRES for loop in LOOPS if (wire, loop) not in OF_ASYNCIO_ALONE]
)
@pytest.mark.table
def test_a_failure_in_mid_stream(wire: str, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under ``on_error: open`` a stream that specspan fails to watch from its second text on is handed over whole."""
    alone, feed, fed = asked(wire, "async_stream", loop), StreamCheck.feed, list[str]()

    def failing(self: StreamCheck, choice: int, text: str, *rest: Any, **options: Any) -> Any:
        fed.append(text)
        if len(fed) > 1:
            raise RuntimeError("specspan fails")
        return feed(self, choice, text, *rest, **options)

    monkeypatch.setattr(StreamCheck, "feed", failing)
    with recorded(policy("openblock", {}, {})) as record:
        output = asked(wire, "async_stream", loop)
        assert (output.error, output.chunks) == (None, alone.chunks)
        assert [(each["verdict"], each["action"]) for each in decisions_of(record)] == [("error", "allow")]
    assert len(fed) > 1


@pytest.mark.parametrize(
    ("wire", "loop"), [(wire, loop) for wire in WIRES for loop in LOOPS if (wire, loop) not in OF_ASYNCIO_ALONE]
)
@pytest.mark.table
def test_a_stream_is_held_back(wire: str, loop: str) -> None:
    """A match is replaced in what is held back, and the stream goes on."""
    with recorded(policy("redact", {"hold_back": {"chars": 16}}, {"any": [AFTER.strip()]})):
        output = asked(wire, "async_stream", loop)
    assert output.error is None
    assert output.has(BEFORE)
    assert output.has(MARKER)
    assert not output.has(AFTER.strip(), is_spread=True)
