"""Random streams of every wire format against a reference that reads the whole answer.

``SPECSPAN_EXAMPLES`` is the number of examples of each property. The examples are the same in each run, so that a
property that does not hold yet fails each time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from enforcement_mutations import Mutation, mutated
from enforcement_reference import check_hostile_stream, check_stream
from enforcement_runner import Leak
from enforcement_table import ACTIONS, cases, wire_of
from enforcement_ways_all import WIRES
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from thorough import examples

EXAMPLES = int(os.environ.get("SPECSPAN_EXAMPLES", examples(10)))
_SEED = 11
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate] if EXAMPLES <= 100 else [Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
pytestmark = pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")  # Google's client says so of itself

_PIECES = ("FORBIDDEN", "FORB", "IDDEN", "FOR", "BID", "DEN", "Before it. ", " ", "x", "\u00e9", "\U0001f600", "F")
pieces_of_text = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=7)
actions = st.sampled_from(ACTIONS)
mutations = st.builds(
    Mutation,
    st.sampled_from(("value", "value", "value", "repeat", "swap", "drop", "end")),
    st.integers(0, 30),
    st.integers(0, 60),
    st.integers(0, 8),
)


def wires(name: str, has: Callable[[str], Any] = lambda wire: True) -> pytest.MarkDecorator:
    """Return the mark that runs a property for each wire format, strictly failing where it does not hold yet."""
    names = [wire for wire in WIRES if has(wire)]
    return pytest.mark.parametrize("wire", cases(f"property-{name}", names, Leak))


@wires("chunking")
@seed(_SEED)
@quick
@given(pieces=pieces_of_text, action=actions)
def test_a_stream_is_cut_at_the_chunk_that_completes_the_word(wire: str, pieces: list[str], action: str) -> None:
    """Nothing forbidden is released, nothing allowed is lost or changed, and the record equals what came out."""
    check_stream(wire_of(wire), [(0, piece) for piece in pieces], wire_of(wire).stream(*pieces), action)


@wires("choices", lambda wire: wire_of(wire).choices)
@seed(_SEED)
@quick
@given(pieces=st.lists(st.tuples(st.integers(0, 1), st.sampled_from(_PIECES)), min_size=1, max_size=8), action=actions)
def test_interleaved_choices_are_read_apart(wire: str, pieces: Sequence[tuple[int, str]], action: str) -> None:
    """The word counts where one choice says it, and not where two choices say a half each."""
    choices = wire_of(wire).choices
    assert choices is not None
    check_stream(wire_of(wire), pieces, choices(pieces), action)


@wires("hostile")
@seed(_SEED)
@settings(quick, max_examples=examples(3) * EXAMPLES)
@given(pieces=pieces_of_text, action=actions, wrong=st.lists(mutations, min_size=1, max_size=2))
def test_a_stream_in_which_something_is_wrong(wire: str, pieces: list[str], action: str, wrong: list[Mutation]) -> None:
    """Whatever a server sends, nothing forbidden comes out and the record is true."""
    events = wire_of(wire).stream(*pieces)
    for each in wrong:
        events = mutated(events, each)
    check_hostile_stream(wire_of(wire), events, action)
