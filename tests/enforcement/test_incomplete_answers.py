"""An answer that was cut short complies with nothing: the record tells it from one that was read to its end."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from policies import bound, pattern, policy
from stream_cases import Body, ProviderStream, Then, streams

from specspan.decision import Action, Stage
from specspan.instrument.install import instrument, uninstrument
from specspan.testing.memory import Recorded, recorded

SYNC = [each for each in streams() if each.sync_stream is not None]


@pytest.fixture(scope="module", params=SYNC, ids=lambda each: each.id)
def case(request: pytest.FixtureRequest) -> Iterator[ProviderStream]:
    """One provider's stream."""
    instrument(request.param.provider)
    yield request.param
    uninstrument()


def read_a_word(case: ProviderStream, then: Then = Then.END) -> Any:
    assert case.sync_stream is not None
    pieces = case.pieces if then is Then.END else case.pieces[: case.opening]
    stream = case.sync_stream(Body(pieces, then))
    reader = iter(stream)  # Bedrock's stream is read by an iterator of its own
    while not case.said(next(reader)):
        pass
    return stream


RULES = policy(
    bound("about_the_request", pattern("nobody-asks-this", stage=Stage.INPUT)),
    bound("about_the_answer", pattern("nobody-says-this")),
)


def outcomes(record: Recorded) -> dict[str, tuple[str, str | None]]:
    """Return outcome and reason of each clause, and of the whole."""
    (decision,) = record.decisions
    found = {each["clause"]: (each["outcome"], each["reason"]) for each in decision["findings"]}
    return {**found, "verdict": (decision["verdict"], decision["reason"])}


@pytest.mark.parametrize("leaving", ["close", "drop", "error"])
@pytest.mark.table
def test_an_answer_cut_short_is_not_complied(case: ProviderStream, leaving: str) -> None:
    """The clause about the answer is unassessed with a reason, and so is the call, though its request complied."""
    if leaving == "close" and case.close is None:
        pytest.skip("this client's streams cannot be closed")
    with recorded(RULES) as record:
        stream = read_a_word(case, Then.BREAK if leaving == "error" else Then.END)
        if leaving == "error":
            with pytest.raises(Exception) as raised:
                list(stream)
            assert type(raised.value).__name__ == case.broken
            del raised
        if leaving == "close" and case.close is not None:
            case.close(stream)
        del stream
        gc.collect()
    short = ("unassessed", "incomplete_answer")
    assert outcomes(record) == {
        "about_the_request": ("complied", None),
        "about_the_answer": short,
        "verdict": short,
    }


def test_what_was_handed_over_of_it_can_violate_a_clause(case: ProviderStream) -> None:
    """A violation in what came is recorded, with the flag that was all that could be done."""
    first = case.text.split()[0]
    with recorded(policy(bound("quiet", pattern(first), action=Action.FLAG))) as record:
        stream = read_a_word(case)
        del stream
        gc.collect()
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"]) == ("violated", "flag")


def test_an_answer_that_was_read_to_its_end_complied(case: ProviderStream) -> None:
    """Nothing is missing of it."""
    assert case.sync_stream is not None
    with recorded(RULES) as record:
        list(case.sync_stream(Body(case.pieces)))
    assert set(outcomes(record).values()) == {("complied", None)}
