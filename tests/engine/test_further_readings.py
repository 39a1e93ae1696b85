"""Enforcement over what only a further reading of the texts shows."""

from __future__ import annotations

import pytest
from policies import answered, bound, pattern, policy

from specspan.call import Message, ModelCall, Request, Text
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Outcome
from specspan.engine.engine import Engine
from specspan.engine.rewriting import Ruling
from specspan.engine.waiting import run_sync

WORD = "FORBIDDEN"


def ruled(call: ModelCall, action: Action) -> Ruling:
    """Return the ruling on an answer that must not hold the word."""
    clause = bound("rule", pattern(WORD, reason="word"), action=action, replacement="-")
    return run_sync(Engine(policy(clause)).open((), call).output(call))


def fed(action: Action, *chunks: str) -> tuple[str, Outcome | None]:
    """Return what a consumer sees of a streamed answer, and the outcome of the clause while it grew."""
    clause = bound("rule", pattern(WORD, reason="word"), action=action, replacement="-")
    stream = Engine(policy(clause)).open((), answered(streaming=True)).stream()
    assert stream is not None
    seen = ""
    for chunk in chunks:
        cut = stream.feed(0, chunk)
        if cut is not None:
            (finding,) = stream.findings.values()
            return seen + (cut.text or ""), finding.outcome
        seen += chunk
    return seen, None


def test_redaction_covers_the_escapes_of_json() -> None:
    """The rest of the answer is the same JSON as before, however often the word stands in it."""
    written = r'{"a": "F\u004fRBIDDEN", "b": ' + r'"\u0046ORBIDDEN ", ' * 40 + '"c": 1}'
    edits = ruled(answered(written), Action.REDACT).edits
    assert edits == {"/output/0/parts/0": '{"a": "[redacted:word]", "b": ' + '"[redacted:word] ", ' * 40 + '"c": 1}'}


def test_redaction_covers_a_match_over_several_parts() -> None:
    """Each part loses its share of the word."""
    edits = ruled(answered("so FORB", "IDD", "EN it is"), Action.REDACT).edits
    assert list(edits.values()) == ["so [redacted:word]", "[redacted:word]", "[redacted:word] it is"]


@pytest.mark.parametrize("texts", [(r'["F\u004fRBIDDEN"]',), ("FORB", "IDDEN")])
@pytest.mark.parametrize("action", [Action.BLOCK, Action.REPLACE, Action.ESCALATE])
def test_every_action_is_taken_over_a_further_reading(texts: tuple[str, ...], action: Action) -> None:
    """A word that is written around is a word."""
    ruling = ruled(answered(*texts), action)
    assert ruling.action is action
    assert set(ruling.edits.values()) == ({"-"} if action is Action.REPLACE else set())


def test_the_request_is_read_joined_too() -> None:
    """A user's message in two parts is one message; two messages are two."""
    clause = bound("rule", build("rule", {"any": [WORD], "stage": "input"}), action=Action.BLOCK)

    def action(*messages: Message) -> Action:
        call = ModelCall(Request("test", input=messages))
        return run_sync(Engine(policy(clause)).open((), call).input(call)).action

    first, second = Text("FORB"), Text("IDDEN")
    assert action(Message("user", (first, second))) is Action.BLOCK
    assert action(Message("user", (first,)), Message("user", (second,))) is Action.ALLOW
    assert action(Message("assistant", (first, second))) is Action.ALLOW


@pytest.mark.parametrize(
    ("completing", "chunks"),
    [
        (0, (r'{"a": "F\u004fRBIDDEN', '"}')),
        (4, (" ", "{", r'"a": "F\u0', "04", "fRBIDDEN and more")),
        (3, ("`", '``json\n["', r"\u0046\u004f\u0052\u0042\u0049\u0044\u0044\u0045", "\\u004e", '"]')),
        (2, ("Here you are: {", '"a": "', r"\u0046ORBIDDEN")),
        (3, ("So ", r'{"a": "{\"b\": \"F', r"\\u0", "04fRBIDDEN")),
        (2, ('["' + "x" * 9000, r"\n\n\u0046", "ORBIDDEN")),
    ],
)
def test_a_stream_of_json_is_cut_at_the_chunk_that_completes_the_word(completing: int, chunks: tuple[str, ...]) -> None:
    """Nothing of that chunk is handed over, as in a stream that writes the word out."""
    seen, outcome = fed(Action.BLOCK, *chunks)
    assert outcome is Outcome.VIOLATED
    assert seen == "".join(chunks[:completing])
    redacted, _ = fed(Action.REDACT, *chunks)
    assert redacted.startswith(seen)
    assert redacted.endswith("[redacted:word]")


def test_a_stream_of_prose_is_not_decoded() -> None:
    """A backslash in a text that is no JSON stands for itself."""
    text = r"In Python that is '\u0046ORBIDDEN'."
    assert fed(Action.BLOCK, *text) == (text, None)


def test_a_stream_of_harmless_json_is_handed_over_whole() -> None:
    """Escapes alone are no violation."""
    text = r'{"a": "line\nline \u00e9 \"quoted\" FORBID\u0020DEN"}'
    assert fed(Action.REDACT, *text) == (text, None)
