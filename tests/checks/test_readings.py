"""Further readings of texts, and where what is found in them stands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.call import ModelCall, Request
from specspan.checks.check import TextAt
from specspan.checks.json_escapes import MAX_DEPTH
from specspan.checks.kinds.pattern import build
from specspan.checks.readings import GrowingReading, readings
from specspan.decision import Finding, Outcome

CALL = ModelCall(Request("openai"))
_ESCAPED = st.text(max_size=20).map(lambda text: json.dumps([text]))
_BITS = st.sampled_from(
    ["\\", "u", "d83d", "de00", "0041", '"', "\\u", "\\ud83d", "n", "[", "`", "é", " ", "/", '{"', ":", '\\"', "\\\\"]
)
_NESTED = st.recursive(st.text(max_size=8), lambda inner: inner.map(lambda text: json.dumps({"a": text})), max_leaves=4)
_JSON_LIKE = st.one_of(
    _ESCAPED,
    _NESTED.map(lambda text: f"Here: {text}"),
    st.lists(_BITS, max_size=14).map("".join),
    st.lists(_BITS, max_size=14).map(lambda bits: "[" + "".join(bits)),
)


def _part_of(text: str, end: int) -> str:
    return text[:end]


def at(text: str, part: int = 0, message: int = 0) -> TextAt:
    """Return a text of the answer."""
    return TextAt(f"/output/{message}/parts/{part}", "assistant", text)


def found(*texts: TextAt, any_: str = "FORBIDDEN") -> list[tuple[str, str]]:
    """Return the pointer and the characters of each place that a pattern finds."""
    result = build("rule", any_).decide(CALL, texts)
    if result is True:
        return []
    assert isinstance(result, Finding)
    by_pointer = {text.pointer: text.text for text in texts}
    return [(each.pointer, by_pointer[each.pointer][each.start : each.end]) for each in result.evidence]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (r'{"a": "F\u004fRBIDDEN"}', r"F\u004fRBIDDEN"),
        (r'"\u0046ORBIDDE\u004e!"', r"\u0046ORBIDDE\u004e"),
        ('```json\n["\\u0046ORBIDDEN"]\n```', r"\u0046ORBIDDEN"),
        (r' ["x\n\u0046ORBIDDEN"]', r"\u0046ORBIDDEN"),
    ],
)
def test_escapes_of_json_are_decoded(text: str, written: str) -> None:
    """The evidence covers the escapes as they stand, so that a redaction takes them out."""
    assert found(at(text)) == [("/output/0/parts/0", written)]


@pytest.mark.parametrize("text", [r"F\u004fRBIDDEN", r"In Python, '[\u0046ORBIDDEN]'", r'{"a": "F\\u004fRBIDDEN"}'])
def test_what_no_reader_of_json_would_decode_is_not_decoded(text: str) -> None:
    """A text that is no JSON, and an escaped backslash, stand for themselves."""
    assert found(at(text)) == []


ESCAPED = r"F\u004fRBIDDEN"


def in_json(text: str, depth: int) -> str:
    """Return JSON with a string in it, which is JSON itself as often as ``depth`` says."""
    text = f'{{"a": "{text}"}}'
    for _ in range(depth - 1):
        text = json.dumps({"a": text})
    return text


@pytest.mark.parametrize(
    "text",
    [
        f'Here it is: {{"a": "{ESCAPED}"}}, as you asked.',
        f'Two of them: [1, "{ESCAPED}"].',
        f'So:\n```json\n{{"a":\n"{ESCAPED}"}}\n```\nThat is all.',
        f'First {{}} and [ ] and "this", then {{ \n "{ESCAPED}": 1}}',
    ],
)
def test_json_inside_of_prose_is_decoded(text: str) -> None:
    """An object, a list or a fence in the middle of a text is read as JSON from there on, plain and as it grows."""
    assert found(at(text)) == [("/output/0/parts/0", ESCAPED)]
    growing = GrowingReading()
    ends = [
        growing.grow(each, text[: index + 1], 20, partial(_part_of, text, index + 1)) for index, each in enumerate(text)
    ]
    assert any("FORBIDDEN" in end for each in ends for end in each)


@pytest.mark.parametrize("depth", range(1, MAX_DEPTH + 1))
def test_json_in_strings_of_json_is_decoded(depth: int) -> None:
    """The evidence points into the text as it stands; beyond some depth nothing is decoded."""
    text = in_json(ESCAPED, depth)
    ((pointer, written),) = found(at(f"Here: {text}"))
    assert pointer == "/output/0/parts/0"
    assert (written.startswith("F"), written.endswith("RBIDDEN"), "u004f" in written) == (True, True, True)
    assert len(list(readings((at(in_json(ESCAPED, 2 * MAX_DEPTH)),)))) == MAX_DEPTH


def test_a_string_of_json_in_a_string_of_json_is_decoded() -> None:
    """So are answers that were written as JSON twice, without an object."""
    assert len(found(at(json.dumps(f'"{ESCAPED}"')))) == 1


def test_parts_of_one_message_read_joined() -> None:
    """A match over the boundary has a place in each part; what stands in one part is found once."""
    first, middle, last = at("A FORBIDDEN or FORB"), at("IDD", 2), at("EN thing", 3)
    assert found(first, middle, last) == [
        ("/output/0/parts/0", "FORBIDDEN"),
        ("/output/0/parts/0", "FORB"),
        ("/output/0/parts/2", "IDD"),
        ("/output/0/parts/3", "EN"),
    ]
    assert found(at("FORB"), at("IDDEN", message=1)) == []


def test_an_escape_may_be_spread_over_parts() -> None:
    """Joined texts are decoded as one."""
    assert found(at(r'{"a": "F\u00'), at('4fRBIDDEN"}', 1)) == [
        ("/output/0/parts/0", r"F\u00"),
        ("/output/0/parts/1", "4fRBIDDEN"),
    ]


def test_arguments_of_several_tools_are_not_joined() -> None:
    """Two tool calls of one answer are two texts."""
    check = build("rule", {"any": ["FORBIDDEN"], "stage": "tool_call"})
    assert check.decide(CALL, (at("FORB"), at("IDDEN", 1))) is True
    assert check.decide(CALL, (at(r'"F\u004fRBIDDEN"'),)) is not True


def test_a_required_text_may_be_spread_over_parts() -> None:
    """Two parts of a message make one disclaimer, and so does an escaped one."""
    check = build("rule", {"require": ["no legal advice"]})
    assert check.decide(CALL, (at("This is no leg"), at("al advice", 1))) is True
    assert check.decide(CALL, (at(r'["no\u0020legal advice"]'),)) is True
    assert check.decide(CALL, (at("no leg"), at("al advice", message=1))) == Finding(
        Outcome.VIOLATED, "required_text_absent"
    )


def test_ordinary_texts_have_no_further_reading() -> None:
    """One text without a backslash, JSON or not, is read once."""
    assert list(readings((at("plain"),))) == []
    assert list(readings((at('{"a": 1}'),))) == []
    assert list(readings((at("one"), at("other", message=1)))) == []


@given(text=st.text(st.characters(codec="utf-8"), max_size=30))
def test_decoded_json_reads_as_its_value(text: str) -> None:
    """Every way to write a value as JSON reads as the value, and each character's place is what wrote it."""
    written = json.dumps(text)
    (decoded,) = list(readings((at(written),))) or [at(written)]
    assert decoded.text == f'"{text}"'
    places = [decoded.evidence(index, index + 1)[0] for index in range(len(decoded.text))]
    assert "".join(written[each.start : each.end] for each in places) == written
    assert [each.start for each in places[1:]] == [each.end for each in places[:-1]]


@given(text=_JSON_LIKE, cuts=st.lists(st.integers(0, 90), max_size=8))
def test_a_growing_text_reads_as_the_whole_one(text: str, cuts: Sequence[int]) -> None:
    """However an answer is cut into chunks, its end reads in every reading as that of the whole answer."""
    ends = sorted({min(cut, len(text)) for cut in cuts} | {len(text)})
    growing, start = GrowingReading(), 0
    read: Sequence[str] = ()
    for end in ends:
        read = growing.grow(text[start:end], text[:end], 1000, partial(_part_of, text, end))
        start = end
    whole = [each.text for each in readings((at(text),))]
    assert len(whole) <= len(read) or not read
    for grown, each in zip(read, [*whole, *whole[-1:] * len(read)] or [text] * len(read), strict=False):
        undecided = each[len(grown) :]
        assert each.startswith(grown)
        assert undecided in ("", "\ufffd") or undecided.startswith(("\\", "\ufffd\\"))
    if not read:
        assert all(each.endswith("\ufffd") for each in whole)


@given(lengths=st.lists(st.integers(0, 4), min_size=2, max_size=5), data=st.data())
def test_places_in_a_joined_text_are_those_of_its_parts(lengths: Sequence[int], data: st.DataObject) -> None:
    """Every stretch of the joined text is, put together, what its places hold."""
    parts = [at("abcdefgh"[:length], number) for number, length in enumerate(lengths)]
    (joined,) = readings(parts)
    if not joined.text:
        return
    start = data.draw(st.integers(0, len(joined.text) - 1))
    end = data.draw(st.integers(start + 1, len(joined.text)))
    by_pointer = {part.pointer: part.text for part in parts}
    places = joined.evidence(start, end)
    assert "".join(by_pointer[each.pointer][each.start : each.end] for each in places) == joined.text[start:end]
    assert all(each.start < each.end for each in places)
