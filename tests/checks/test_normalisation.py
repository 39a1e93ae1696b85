"""Normalised writing, and the patterns that read it."""

from __future__ import annotations

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import answered, bound, policy

from specspan.call import ModelCall, Request
from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Finding
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync

pytest.importorskip("confusable_homoglyphs")
from specspan.checks.normalisation import MAX_MARKS, normalised_stretches, write
from specspan.checks.readings import readings

CALL = ModelCall(Request("openai"))
CHECK = {"any": ["FORBIDDEN"], "reason": "word", "normalise": True}
DISGUISED = [
    "FOR\u200bBIDDEN",
    "F\u2060O\ufeffR\u200dB\u00adIDDEN",
    "FOR\U000e0041BIDDEN",
    "FO\u034fRBIDDEN",
    "\uff26\uff2f\uff32\uff22\uff29\uff24\uff24\uff25\uff2e",
    "F\u041eRBIDDEN",
    "\U0001f175\U0001f17e\U0001f181\U0001f171\U0001f178\U0001f173\U0001f173\U0001f174\U0001f17d",
    "\U0001f155\U0001f15e\U0001f161\U0001f151\U0001f158\U0001f153\U0001f153\U0001f154\U0001f15d",
    "F\u039fRB\u0406DD\u0415N",
    "\U0001d405\U0001d40e\U0001d411\U0001d401\U0001d408\U0001d403\U0001d403\U0001d404\U0001d40d",
    "FOR\x00BI\x1f\x7fDDEN",
    "FOR\u2800BIDDEN",
    "F\u0301ORBIDDEN",
    "F\u00d6RB\u00cdDD\u00c9N",
    "F\u0336O\u0336R\u0336B\u0336IDDEN",
    "F\u20ddORBIDDEN",
    "&#70;&#x4F;&#82BIDDEN",
    "FOR&shy;BIDDE&Nopf;",
    "FOR&#8203;BIDDEN",
    "\U0001f1eb\U0001f1f4\U0001f1f7\U0001f1e7\U0001f1ee\U0001f1e9\U0001f1e9\U0001f1ea\U0001f1f3",
    "\U0001f135\u24c4\U0001f121BIDDEN",
    "\u202eNEDDIBROF\u202c",
]
_TEXTS = st.text(
    st.one_of(
        st.sampled_from("FORBIDEN e\u0301\u0323\u200b\u00ad\ufb01\u041e\uff11\u1112\u1161\u11ab\ud55c\U000e0041\u0660"),
        st.characters(codec="utf-8", exclude_characters="\\"),
    ),
    max_size=30,
)


def at(text: str) -> TextAt:
    """Return a text of the answer."""
    return TextAt("/output/0/parts/0", "assistant", text)


@pytest.mark.parametrize("word", DISGUISED)
def test_a_word_that_looks_like_itself_is_found(word: str) -> None:
    """The evidence covers the word as it stands, and nothing beside it."""
    result = build("rule", CHECK).decide(CALL, (at(f"so \u00e9 {word}, it is"),))
    assert isinstance(result, Finding)
    (evidence,) = result.evidence
    assert (evidence.start, evidence.end) == (5, 5 + len(word))
    assert build("rule", "FORBIDDEN").decide(CALL, (at(word),)) is True


@pytest.mark.parametrize("word", DISGUISED)
@pytest.mark.parametrize("action", [Action.BLOCK, Action.REDACT])
def test_a_plain_and_a_streamed_answer_are_enforced(word: str, action: Action) -> None:
    """The engine looks for the pattern in the normalised text, whole or as it grows."""
    engine = Engine(policy(bound("rule", build("rule", CHECK), action=action)))
    call = answered(f"so {word}, it is")
    ruling = run_sync(engine.open((), call).output(call))
    assert ruling.action is action
    assert list(ruling.edits.values()) == ([] if action is Action.BLOCK else ["so [redacted:word], it is"])
    stream = engine.open((), answered(streaming=True)).stream()
    assert stream is not None
    cuts = [stream.feed(0, chunk) for chunk in ("so ", word[:4], word[4:], ", it is")]
    assert [cut is not None for cut in cuts] == [False, False, True, True]


def test_escapes_of_json_are_decoded_before() -> None:
    """An invisible character may be written as an escape."""
    check = build("rule", CHECK)
    text = r'{"a": "FOR\u200bBIDDEN"}'
    assert check.decide(CALL, (at(text),)) is not True
    stream = Engine(policy(bound("rule", check, action=Action.BLOCK))).open((), answered(streaming=True)).stream()
    assert stream is not None
    assert [stream.feed(0, chunk) is not None for chunk in (text[:15], text[15:])] == [False, True]


def test_only_a_check_that_asks_reads_the_normalised_text() -> None:
    """Two clauses on one answer."""
    checks = build("a", {"any": ["FORBIDDEN"]}), build("b", CHECK)
    evaluation = Engine(policy(*(bound(id_, check) for id_, check in zip("ab", checks, strict=True)))).open()
    run_sync(evaluation.output(answered(DISGUISED[0])))
    assert [finding.outcome.value for finding in evaluation.decide().findings] == ["complied", "violated"]


@pytest.mark.parametrize("text", ["FOR BIDDEN", "\u0424\u041e\u0420\u0411 \uff11\u00ad", "forbidden"])
def test_other_words_are_not_found(text: str) -> None:
    """A space, letters of another script and another case make another word."""
    assert build("rule", CHECK).decide(CALL, (at(text),)) is True


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is refused when it is loaded."""
    from specspan.checks import normalisation

    normalisation.look_alikes.cache_clear()
    monkeypatch.setitem(sys.modules, "confusable_homoglyphs.confusables", None)
    with pytest.raises(CheckConfigError) as refused:
        build("rule", CHECK)
    assert (refused.value.key, "pip install 'specspan[normalise]'" in refused.value.remedy) == ("normalise", True)


@given(text=_TEXTS)
def test_what_is_left_standing_and_what_reads_differently_make_the_text(text: str) -> None:
    """Stretches are in order and apart, and a pattern's evidence lies inside the text."""
    stretches = list(normalised_stretches(text))
    assert all(start < end for start, end, _ in stretches)
    assert all(before[1] <= after[0] for before, after in pairwise(stretches))
    every = [*readings((at(text),), is_normalised=True), at(text)]
    reading = next(each for each in every if each.text == write(text))
    places = [reading.evidence(index, index + 1)[0] for index in range(len(reading.text))]
    assert all(0 <= each.start < each.end <= len(text) for each in places)
    assert all(before.start <= after.start for before, after in pairwise(places))


@given(text=_TEXTS)
def test_a_normalised_text_is_canonical(text: str) -> None:
    """Each character on its own is in NFC, and a word of plain letters stays as it is."""
    assert all(unicodedata.is_normalized("NFC", read) for _, _, read in normalised_stretches(text))
    assert write("a plain word") == "a plain word"
    assert write(f"{text} ".rstrip("\u200b") + "end").endswith("end")


HIDDEN = "".join(chr(0xE0000 + ord(each)) for each in "FORBIDDEN")
"""The word in tag characters, which nobody sees."""


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (f"Hello {HIDDEN[:4]} there{HIDDEN[4:]}!", [HIDDEN[:4], HIDDEN[4:]]),
        ("FORB\u202eNEDDI\u202c, it is", ["FORB", "\u202eNEDDI\u202c"]),
        ("so \u202eNED\u0301DI\u202c\u202eBROF", None),
        ("x &amp;&#70;ORBIDDEN", ["&#70;ORBIDDEN"]),
        ('{"a": "&#70;\\u004f&#82;BIDDEN"}', [r"&#70;\u004f&#82;BIDDEN"]),
    ],
)
def test_a_word_that_is_hidden_or_shown_otherwise_is_found(text: str, written: list[str] | None) -> None:
    """Whole and as it grows, by whatever pieces; the evidence covers what it is written in."""
    check = build("rule", CHECK)
    result = check.decide(CALL, (at(text),))
    engine = Engine(policy(bound("rule", check, action=Action.BLOCK)))
    for size in (1, 3, 100):
        stream = engine.open((), answered(streaming=True)).stream()
        assert stream is not None
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        assert any(stream.feed(0, chunk) for chunk in chunks) is (written is not None)
    if written is None:
        assert result is True
        return
    assert isinstance(result, Finding)
    found = {text[each.start : each.end] for each in result.evidence}
    assert all(any(part in each for each in found) for part in written)


@pytest.mark.parametrize("text", ["A & B; x &y; &#; &nothing;", "\u202eeven \u202c", "\U0001f1e9\U0001f1ea"])
def test_what_says_nothing_forbidden_passes(text: str) -> None:
    """An ampersand alone, an override and a flag are no violation."""
    assert build("rule", CHECK).decide(CALL, (at(text),)) is True


def test_long_runs_of_marks_take_linear_time() -> None:
    """Putting marks in order takes the square of their number, so a few are put in order at a time."""
    text = "e" + "\u0301\u0323" * 1000
    assert max(end - start for start, end, _ in normalised_stretches(text)) == MAX_MARKS + 1
