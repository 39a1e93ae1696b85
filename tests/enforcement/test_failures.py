"""Failures of specspan's own between a clause and the text: they end as the clause's ``on_error`` says.

Each function of every adapter, accumulator and editor is replaced by one that raises, for every stream of every
provider's client. Nothing that a clause forbids passes where it fails closed; everything passes where it fails open,
and the record says that nobody looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

import pytest
from policies import bound, pattern, policy, says
from stream_cases import Body, ProviderStream, streams
from wrapt import FunctionWrapper

from specspan.call import Message, Request, Response, Text
from specspan.decision import Action, Stage
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.stream_check import StreamCheck
from specspan.engine.workers import Batch
from specspan.errors import Blocked
from specspan.instrument import install
from specspan.instrument.adapter import Accumulator, Adapter, Invocation, Streaming
from specspan.instrument.blocks import tool_call
from specspan.instrument.gate import Pipeline, active
from specspan.instrument.install import instrument, uninstrument
from specspan.instrument.live_call import LiveCall
from specspan.instrument.wrapper import run_call, run_call_async, wrap_client_method
from specspan.policy.policy import OnError, Policy
from specspan.testing.memory import Recorded, recorded


class Bug(Exception):
    """A mistake of ours."""


asked_and_failed: list[bool] = []
"""Calls of what was broken."""


def fail(*_: Any, **__: Any) -> Any:
    asked_and_failed.append(True)
    raise Bug


@dataclass(frozen=True)
class Part:
    """One function that fails."""

    name: str
    owner: type | None = None
    """The class it is a method of; None: it is an adapter's, or an accumulator's."""
    is_edit: bool = False
    """True if only what the policy rewrites comes by it."""

    def __str__(self) -> str:
        return self.name if self.owner is None else f"{self.owner.__name__}.{self.name}"


NOT_BETWEEN = {
    "load": "raises only what the client's own objects raise",
    "prepare": "raises only what the application's own objects raise",
    "choose": "tells model calls from others: see below",
    "source": "finds what to close once the stream was cut",
    "is_last": "is asked only where the span is somebody else's: see below",
    "keep": "is an adapter's, for answers that are not streamed: see below",
    "edit_response": "is for answers that are not streamed: see below",
    "answer_in": "is for errors that carry an answer: see the tests of parse",
    "chunk_in": "is for errors that carry a chunk: see the tests of Mistral's streams",
    "new_texts": "stands in place of deltas, and fails with it",
}
"""Functions that do not stand between a clause and the text of a stream, with the reason."""
EDITS = ("cut", "edit_request")
"""Functions that change what the policy rewrites."""
AFTER_THE_CUT = ("closing_events", "__deepcopy__")
"""What fails when the cut was decided already."""
OF_STREAM = "streaming."
"""In front of the name of a function for streams of which an adapter has one, too."""
SELDOM_ASKED = ("part_of", "put_stream", f"{OF_STREAM}keep")
"""Functions that only some streams need: of several parts, or whose own object cannot, or can, be watched inside."""
ACCUMULATOR = ("add", "result", "finished", "__deepcopy__")


def functions(of: type) -> set[str]:
    """Return the names of the functions that an adapter has."""
    return {each.name for each in fields(of) if "Callable" in str(each.type) or "Choose" in str(each.type)}


PARTS = (
    *(
        Part(name, is_edit=name in EDITS)
        for name in sorted((functions(Adapter) | functions(Streaming)) - {*NOT_BETWEEN, *AFTER_THE_CUT})
    ),
    *(Part(f"{OF_STREAM}{name}") for name in sorted(functions(Adapter) & functions(Streaming))),
    *map(Part, ("add", "result", "finished")),
    Part("open", Engine),
    *(Part(name, Evaluation) for name in ("input", "output", "stream")),
    Part("feed", StreamCheck),
)
"""What stands between a clause and the text of a stream."""


class BrokenAccumulator:
    """An accumulator of which one method fails."""

    def __init__(self, accumulator: Accumulator, name: str) -> None:
        self.accumulator = accumulator
        self.name = name

    def __getattribute__(self, name: str) -> Any:
        broken = object.__getattribute__(self, "name")
        if name == broken:
            if name == "finished":
                raise Bug
            return fail
        if name in ("accumulator", "__class__", "name", "__deepcopy__", "__reduce_ex__", "__dict__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "accumulator"), name)


def broken_adapter(adapter: Adapter, name: str) -> Adapter:
    """Return the adapter with one function that raises."""
    changes: dict[str, Any] = {name: fail}
    streaming = adapter.streaming
    if name in functions(Adapter) or streaming is None:
        return replace(adapter, **changes)
    if name.startswith(OF_STREAM):
        own = name.removeprefix(OF_STREAM)
        changes = {own: fail} if getattr(streaming, own) else {}
        return replace(adapter, streaming=replace(streaming, **changes))
    if name in ACCUMULATOR:
        begin = streaming.accumulator
        changes = {"accumulator": lambda request: BrokenAccumulator(begin(request), name)}
    if name == "deltas" and streaming.new_texts is not None:
        changes["new_texts"] = fail
    return replace(adapter, streaming=replace(streaming, **changes))


@pytest.fixture
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of specspan's own are counted and logged, and not raised."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS", raising=False)


@pytest.fixture
def break_part(monkeypatch: pytest.MonkeyPatch, in_production: None) -> Callable[[Part], None]:
    """Has one function fail in every call."""

    def break_(part: Part) -> None:
        if part.owner is not None:
            monkeypatch.setattr(part.owner, part.name, fail)
            return
        begin = LiveCall.__init__

        def begin_broken(live: LiveCall, adapter: Adapter, pipeline: Pipeline, invocation: Invocation) -> None:
            begin(live, broken_adapter(adapter, part.name), pipeline, invocation)

        monkeypatch.setattr(LiveCall, "__init__", begin_broken)

    return break_


@pytest.fixture(scope="module", params=streams(), ids=lambda each: each.id)
def case(request: pytest.FixtureRequest) -> Iterator[ProviderStream]:
    """One provider's stream."""
    instrument(request.param.provider)
    yield request.param
    uninstrument()


def rules(case: ProviderStream, part: Part, on_error: OnError, *, forbidden: bool) -> Policy:
    """Return a policy of one clause over both sides, which the answer violates or not, or the request."""
    word = case.text.split()[1] if forbidden and part.name != "edit_request" else "nobody-says-this"
    asked = "[a-z]" if forbidden and part.name == "edit_request" else "nobody-asks-this"
    action = Action.REDACT if part.is_edit else Action.BLOCK
    checks = (pattern(word, reason="word"), pattern(asked, stage=Stage.INPUT, reason="word"))
    return policy(bound("quiet", *checks, action=action, on_error=on_error))


def read(case: ProviderStream, body: Body) -> tuple[str, bool]:
    """Return the text that comes out, and whether the call was blocked, the same through every client of a case."""
    results = set()
    if case.sync_stream is not None:
        results.add(_read(case, case.sync_stream, body))
    if case.async_stream is not None:
        results.add(asyncio.run(_read_async(case, body)))
    (result,) = results
    return result


def _read(case: ProviderStream, ask: Callable[[Body], Any], body: Body) -> tuple[str, bool]:
    said: list[str] = []
    try:
        said.extend(map(case.said, ask(body)))
    except Blocked:
        return "".join(said), True
    return "".join(said), False


async def _read_async(case: ProviderStream, body: Body) -> tuple[str, bool]:
    assert case.async_stream is not None
    said: list[str] = []
    try:
        async for chunk in await case.async_stream(body):
            said.append(case.said(chunk))  # noqa: PERF401 - what came before an error counts
    except Blocked:
        return "".join(said), True
    return "".join(said), False


def decisions(record: Recorded) -> list[Mapping[str, Any]]:
    """Return what was recorded of the calls of all clients of a case."""
    assert record.decisions
    return list(record.decisions)


@pytest.mark.parametrize("part", PARTS, ids=str)
@pytest.mark.table
def test_nothing_passes_where_the_clause_fails_closed(
    case: ProviderStream, part: Part, break_part: Callable[[Part], None]
) -> None:
    """The call is blocked, what is forbidden does not come out, and the record says what was done."""
    break_part(part)
    with recorded(rules(case, part, OnError.CLOSED, forbidden=True)) as record:
        said, is_blocked = read(case, Body(case.pieces))
    assert case.text.split()[1] not in said
    assert is_blocked
    for decision in decisions(record):
        assert decision["action"] == "block"
        assert decision["verdict"] in ("error", "violated")


@pytest.mark.parametrize("part", PARTS, ids=str)
@pytest.mark.table
def test_everything_passes_where_the_clause_fails_open(
    case: ProviderStream, part: Part, break_part: Callable[[Part], None]
) -> None:
    """The answer arrives as the service sent it, and the record says that it was not looked at."""
    asked_and_failed.clear()
    break_part(part)
    with recorded(rules(case, part, OnError.OPEN, forbidden=part.is_edit)) as record:
        assert read(case, Body(case.pieces)) == (case.text, False)
    is_asked = part.name not in SELDOM_ASKED or asked_and_failed
    for decision in decisions(record):
        assert decision["verdict"] == ("error" if is_asked else "complied")
        assert decision["action"] in ("allow", "flag")


@pytest.mark.parametrize("on_error", [OnError.OPEN, OnError.CLOSED])
@pytest.mark.parametrize("name", AFTER_THE_CUT)
@pytest.mark.table
def test_what_fails_after_the_cut_undoes_nothing(
    case: ProviderStream, name: str, on_error: OnError, break_part: Callable[[Part], None]
) -> None:
    """The chunk at which the policy cuts a stream is not handed over, whatever fails from then on."""
    part = Part(name, is_edit=True)
    break_part(part)
    with recorded(rules(case, part, on_error, forbidden=True)) as record:
        said, is_blocked = read(case, Body(case.pieces))
    assert case.text.split()[1] not in said
    for decision in decisions(record):
        assert decision["verdict"] == "violated"
        assert decision["action"] == ("block" if is_blocked else "redact")


ADAPTERS = [part for _, parts in install._registered() for part in parts if isinstance(part, Adapter)]
ANSWER = object()


def plain_adapter(adapter: Adapter, name: str = "") -> Adapter:
    """Return the adapter of a provider for an answer of the word ``two``, with a function that raises, or with none."""
    readable = replace(
        adapter,
        request=lambda _: Request("test", input=(Message("user", (Text("hi"),)),)),
        response=lambda _: Response(output=(Message("assistant", (Text("two"),)),)),
        edit_request=lambda invocation, _: invocation,
        edit_response=lambda _, edits: edits["/output/0/parts/0"],
        prepare=lambda invocation: invocation,
        choose=None,
        load=None,
        keep=None,
        streaming=None,
    )
    changes: dict[str, Any] = {name: fail} if name else {}
    return replace(readable, **changes)


def ask_plain(adapter: Adapter, *, is_async: bool) -> Any:
    """Return what comes of a call, or the error that comes in its place."""
    pipeline = active()
    assert pipeline is not None
    invocation = Invocation(None, (), {})

    async def answer() -> Any:
        return ANSWER

    try:
        if is_async:
            return asyncio.run(run_call_async(adapter, pipeline, answer, invocation))
        return run_call(adapter, pipeline, lambda: ANSWER, invocation)
    except Blocked as error:
        return error


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", ["request", "response", "keep", "edit_request", "edit_response"])
@pytest.mark.parametrize("on_error", [OnError.OPEN, OnError.CLOSED])
@pytest.mark.usefixtures("in_production")
@pytest.mark.table
def test_an_answer_that_is_not_streamed(on_error: OnError, name: str, *, is_async: bool) -> None:
    """Of every adapter, a function that fails lets the answer through or blocks it, as the clause says."""
    word, asked = {"edit_response": ("two", "ho"), "edit_request": ("one", "hi")}.get(name, ("one", "ho"))
    checks = (pattern(word), pattern(asked, stage=Stage.INPUT))
    rules = policy(bound("quiet", *checks, action=Action.REDACT, on_error=on_error))
    for adapter in ADAPTERS:
        with recorded(rules) as record:
            result = ask_plain(plain_adapter(adapter, name), is_async=is_async)
        (decision,) = record.decisions
        assert decision["verdict"] == "error"
        if on_error is OnError.OPEN:
            assert (result, decision["action"]) == (ANSWER, "allow")
        else:
            assert isinstance(result, Blocked)
            assert decision["action"] == "block"


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize(("on_error", "sent"), [(OnError.OPEN, 1), (OnError.CLOSED, 0)])
def test_a_choice_that_fails(on_error: OnError, sent: int) -> None:
    """A call that cannot be told from one that is no model's is made, unless a clause fails closed."""
    made: list[None] = []
    wrapped = FunctionWrapper(
        lambda: made.append(None), wrap_client_method(Adapter("test", fail, fail, fail, fail, choose=fail), fail)
    )
    checks = (pattern("one"), pattern("ho", stage=Stage.INPUT))
    with recorded(policy(bound("quiet", *checks, on_error=on_error))), suppress(Blocked):
        wrapped()
    assert len(made) == sent


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("on_error", [OnError.OPEN, OnError.CLOSED])
@pytest.mark.usefixtures("in_production")
def test_a_wait_that_fails(monkeypatch: pytest.MonkeyPatch, on_error: OnError, *, is_async: bool) -> None:
    """Nothing of it reaches the application but what the clause says."""
    monkeypatch.setattr(Batch, "wait", fail)
    monkeypatch.setattr(Batch, "wait_async", fail)
    with recorded(policy(bound("slow", says(True, timeout_s=5.0), on_error=on_error))) as record:
        result = ask_plain(plain_adapter(ADAPTERS[0]), is_async=is_async)
    (decision,) = record.decisions
    assert decision["verdict"] == "error"
    assert (result is ANSWER) is (on_error is OnError.OPEN)


@pytest.mark.parametrize("on_error", [OnError.OPEN, OnError.CLOSED])
@pytest.mark.parametrize(("owner", "name"), [(Engine, "open"), (Evaluation, "output")])
@pytest.mark.usefixtures("in_production")
def test_a_tool(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, on_error: OnError) -> None:
    """A tool whose run cannot be decided runs only where no clause fails closed."""
    monkeypatch.setattr(owner, name, fail)
    ran: list[None] = []
    rules = policy(bound("quiet", pattern("one", stage=Stage.TOOL_CALL), on_error=on_error))
    with recorded(rules) as record, suppress(Blocked), tool_call("refund", {"amount": 1}):
        ran.append(None)
    assert bool(ran) is (on_error is OnError.OPEN)
    assert [decision["verdict"] for decision in record.decisions] == ["error"]
