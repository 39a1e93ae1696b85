"""Failures of specspan's own between a clause and the text: they end as the clause's ``on_error`` says.

Each function of every adapter, accumulator and editor is replaced by one that raises, for every stream of every
provider's client. Nothing that a clause forbids passes where it fails closed; everything passes where it fails open,
and the record says that nobody looked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from policies import bound, pattern, policy
from stream_cases import Body, ProviderStream, streams

from specspan.call import Request
from specspan.decision import Action, Stage
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.stream_check import StreamCheck
from specspan.errors import Blocked
from specspan.instrument.adapter import Accumulator, Adapter, Invocation
from specspan.instrument.install import instrument, uninstrument
from specspan.instrument.live_call import LiveCall
from specspan.instrument.pipeline import Pipeline
from specspan.policy.policy import OnError, Policy
from specspan.testing.memory import Recorded, recorded


class Bug(Exception):
    """A mistake of ours."""


def fail(*_: Any, **__: Any) -> Any:
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


PARTS = (
    *map(Part, ("request", "response", "accumulator", "deltas", "stream_in", "put_stream")),
    *map(Part, ("add", "result", "finished")),
    Part("cut", is_edit=True),
    Part("open", Engine),
    *(Part(name, Evaluation) for name in ("input", "output", "stream")),
    Part("feed", StreamCheck),
)
"""What stands between a clause and the text of a stream."""
AFTER_THE_CUT = (Part("closing", is_edit=True), Part("__deepcopy__", is_edit=True))
"""What fails when the cut was decided already."""
ACCUMULATOR = ("add", "result", "finished", "__deepcopy__")


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
    if name not in ACCUMULATOR:
        changes: dict[str, Any] = {name: fail}
        return replace(adapter, **changes)

    def accumulator(request: Request) -> Any:
        return BrokenAccumulator(adapter.accumulator(request), name)

    return replace(adapter, accumulator=accumulator)


@pytest.fixture
def break_part(monkeypatch: pytest.MonkeyPatch) -> Callable[[Part], None]:
    """Has one function fail in every call, as in production: counted and logged, and not raised."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")

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
    """Return a policy of one clause over both sides, which the answer violates or not."""
    word = case.text.split()[1] if forbidden else "nobody-says-this"
    action = Action.REDACT if part.is_edit else Action.BLOCK
    checks = (pattern(word, reason="word"), pattern("nobody-asks-this", stage=Stage.INPUT))
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
def test_everything_passes_where_the_clause_fails_open(
    case: ProviderStream, part: Part, break_part: Callable[[Part], None]
) -> None:
    """The answer arrives as the service sent it, and the record says that it was not looked at."""
    break_part(part)
    with recorded(rules(case, part, OnError.OPEN, forbidden=part.is_edit)) as record:
        assert read(case, Body(case.pieces)) == (case.text, False)
    for decision in decisions(record):
        assert decision["verdict"] == "error"
        assert decision["action"] in ("allow", "flag")


@pytest.mark.parametrize("on_error", [OnError.OPEN, OnError.CLOSED])
@pytest.mark.parametrize("part", AFTER_THE_CUT, ids=str)
def test_what_fails_after_the_cut_undoes_nothing(
    case: ProviderStream, part: Part, on_error: OnError, break_part: Callable[[Part], None]
) -> None:
    """The chunk at which the policy cuts a stream is not handed over, whatever fails from then on."""
    break_part(part)
    with recorded(rules(case, part, on_error, forbidden=True)) as record:
        said, is_blocked = read(case, Body(case.pieces))
    assert case.text.split()[1] not in said
    for decision in decisions(record):
        assert decision["verdict"] == "violated"
        assert decision["action"] == ("block" if is_blocked else "redact")
