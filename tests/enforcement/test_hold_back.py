"""Streams that a policy holds back: nothing of a match is handed over, and all else arrives unchanged and in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_output import Output
from enforcement_policies import MARKER, REPLACEMENT, policy
from enforcement_reference import text_of
from enforcement_runner import call, decisions_of
from enforcement_table import WORD, WireFormat, wire_of
from enforcement_ways_all import WIRES
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from thorough import examples

import specspan
from specspan.testing import recorded

pytestmark = pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")  # Google's client says so of itself
quick = settings(
    max_examples=examples(6),
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
_PIECES = (WORD, "FORB", "IDDEN", "FOR", "BID", "DEN", "Before it. ", " ", "x", "One. Two? ", "F", "é", "\U0001f600")
pieces_of_text = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=9)
ways_to_hold = st.sampled_from(({"chars": len(WORD)}, {"chars": 64}, "sentence", "all"))
actions = st.sampled_from(("redact", "replace", "block"))


def run(
    wire: WireFormat, mode: str, pieces: Sequence[str], action: str, hold_back: Any
) -> tuple[Output, Mapping[str, Any], Any]:
    """Return what comes out of a stream that is held back, its decision and the attributes of its span."""
    service = Service(wire.encode(wire.stream(*pieces)), is_stream=True)
    with recorded(policy(action, {"hold_back": hold_back}, {})) as record:
        output = call(wire.modes[mode], service, {})
        (decision,) = decisions_of(record)
        (span,) = record.spans
    return output, decision, span.attributes


def expected(text: str, action: str, hold_back: Any) -> str:
    """Return the text that a consumer gets."""
    if action == "redact":
        return text.replace(WORD, MARKER)
    return REPLACEMENT if hold_back == "all" else text.replace(WORD, REPLACEMENT)


@pytest.mark.parametrize("name", WIRES)
@seed(15)
@quick
@given(pieces=pieces_of_text, action=actions, hold_back=ways_to_hold)
def test_no_character_of_a_match_is_handed_over(name: str, pieces: list[str], action: str, hold_back: Any) -> None:
    """However an answer is cut into chunks, its matches are replaced whole, and the stream goes on after each."""
    wire, text = wire_of(name), "".join(pieces)
    output, decision, attributes = run(wire, "stream", pieces, action, hold_back)
    assert attributes["specspan.stream.held_s"] >= 0
    if WORD not in text:
        alone = call(wire.modes["stream"], Service(wire.encode(wire.stream(*pieces)), is_stream=True), {})
        assert (output.chunks, output.kinds, output.error) == (alone.chunks, alone.kinds, None)
        assert decision["action"] == "allow"
        return
    assert not output.has(WORD)
    assert (decision["verdict"], decision["action"], decision["reason"]) == ("violated", action, "word")
    if action == "block":
        assert isinstance(output.error, specspan.Blocked)
        assert text[: text.index(WORD)].startswith(text_of(wire, output))
    else:
        assert output.error is None
        assert text_of(wire, output) == expected(text, action, hold_back)
        assert decision["redacted"] == ["/output/0/parts/0"]


MODES = [(name, mode) for name in WIRES for mode in (*wire_of(name).stream_modes, *wire_of(name).more_stream_modes)]


@pytest.mark.parametrize(("name", "mode"), MODES)
def test_every_way_to_read_a_stream_goes_on(name: str, mode: str) -> None:
    """Helpers, snapshots and raw bytes show the replaced text, whole texts that a service repeats included."""
    pieces = ["Say ", "FOR", "BIDDEN. ", "Go ", "on. ", f"{WORD}!"]
    output, decision, _ = run(wire_of(name), mode, pieces, "redact", {"chars": 16})
    assert output.error is None
    assert not output.has(WORD, is_spread=True)
    assert output.has("Go ", is_spread=True)
    assert output.has(f"{MARKER}!", is_spread=True)
    assert decision["action"] == "redact"


@pytest.mark.parametrize("name", ["openai_chat", "anthropic", "openai_responses"])
def test_a_match_longer_than_what_is_held_back(name: str) -> None:
    """Of a match whose beginning was handed over, the rest is replaced, and the stream goes on."""
    output, _, _ = run(wire_of(name), "stream", ["FORB", " " * 40, "x FORB", "IDDEN y"], "redact", {"chars": 2})
    assert not output.has("IDDEN")
    assert text_of(wire_of(name), output).endswith(f"{MARKER} y")


def test_equal_texts_are_replaced_each() -> None:
    """Two choices that say the same, and a field that repeats it, are told apart where all is rewritten."""
    wire = wire_of("openai_chat")
    assert wire.choices is not None
    said = [{**each, "note": f"{WORD} a"} for each in wire.choices([(0, f"{WORD} a"), (1, f"{WORD} a")])]
    service = Service(wire.encode(tuple(said)), is_stream=True)
    with recorded(policy("redact", {"hold_back": "all"}, {})):
        output = call(wire.modes["stream"], service, {})
    assert output.error is None
    assert not output.has(WORD)
    assert text_of(wire, output) == f"{MARKER} a" * 2


class Source:
    """Model function whose stream says how far it was read."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces
        self.sent = ""

    def stream(self, question: str) -> Iterator[str]:
        for piece in self.pieces:
            self.sent += piece
            yield piece


@seed(15)
@settings(quick, max_examples=examples(60))
@given(pieces=st.lists(st.sampled_from(("One. ", "Tw", "o", "? ", "x", " ", "Three", "!", "\n")), max_size=24))
def test_a_sentence_is_the_longest_delay(pieces: list[str]) -> None:
    """Of what is held back by the sentence, at most one sentence is complete."""
    source, received = Source(pieces), ""
    with recorded(policy("redact", {"hold_back": "sentence"}, {})):
        for piece in specspan.observe(model="m")(source.stream)("hi"):
            received += piece
            withheld = source.sent[len(received) - len(piece) :]
            assert len(re.findall(r"[.!?](?=\s)|\n", withheld)) <= len(re.findall(r"[.!?](?=\s)|\n", piece)) + 1
    assert received == "".join(pieces)


def test_what_a_generator_is_sent_and_returns_is_the_applications() -> None:
    """A value that is sent reaches the model function once, and what it returns comes back, behind what was held."""
    sent: list[Any] = []

    @specspan.observe(model="m")
    def model(question: str) -> Any:
        for piece in ("One. ", "Two. ", WORD, " end"):
            value = yield piece
            sent.append(value)
        return "done"

    with recorded(policy("redact", {"hold_back": {"chars": 9}}, {})):
        stream, returned = model("hi"), list[Any]()
        received = next(stream)
        while not returned:
            try:
                received += stream.send("more")
            except StopIteration as end:
                returned.append(end.value)
    assert returned == ["done"]
    assert received == f"One. Two. {MARKER} end"
    assert "more" in sent


@pytest.mark.parametrize(
    ("hold_back", "text"), [({"chars": 40}, f"Say {MARKER}"), ("sentence", f"Say {MARKER}"), ("all", "")]
)
def test_an_error_comes_after_what_was_held_back(hold_back: Any, text: str) -> None:
    """What came before the client's own error is handed over first, unless the whole answer is to be decided."""

    @specspan.observe(model="m")
    def model(question: str) -> Iterator[str]:
        yield "Say "
        yield WORD
        raise ConnectionError("gone")

    with recorded(policy("redact", {"hold_back": hold_back}, {})):
        stream = model("hi")
        assert "".join(next(stream) for _ in range(2 if text else 0)) == text
        with pytest.raises(ConnectionError):
            next(stream)


@pytest.mark.parametrize("hold_back", [{"chars": 9}, "sentence", "all"])
def test_a_consumer_that_leaves(hold_back: Any) -> None:
    """A stream that is closed is closed at once, whatever of it is held back or still to be given out."""
    left: list[str] = []

    @specspan.observe(model="m")
    def model(question: str) -> Iterator[str]:
        try:
            yield from ("One. ", "Two. ", "Three. ", f"{WORD} it", " is. ", "x" * 40)
        finally:
            left.append("source")

    with recorded(policy("redact", {"hold_back": hold_back}, {})) as record:
        stream: Any = model("hi")
        next(stream)
        stream.close()
        (decision,) = decisions_of(record)
    assert left == ["source"]
    assert decision["verdict"] in ("unassessed", "violated")


@pytest.mark.parametrize("on_error", ["closed", "open"])
def test_a_text_that_cannot_be_replaced(on_error: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a chunk cannot be edited, the clause's ``on_error`` says what becomes of it, and the record is true."""

    def fail(*_: Any) -> Any:
        raise LookupError("no")

    monkeypatch.setattr(import_module("specspan.instrument.held_call"), "edit_chunk", fail)
    action = "openredact" if on_error == "open" else "redact"
    output, decision, _ = run(wire_of("openai_chat"), "stream", ["Say ", WORD, " on"], action, {"chars": 4})
    assert output.has(WORD) == (on_error == "open")
    assert (type(output.error) is specspan.Blocked) == (on_error == "closed")
    assert decision["verdict"] == "error"
