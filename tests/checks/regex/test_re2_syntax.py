"""How texts beyond ASCII are written for RE2."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.checks.regex.re2_syntax import Framed

LETTERS = "aZ_ 9éªß中Σ٣²—’🙂\u0301\ud800\ufdd0"
texts = st.text() | st.text(LETTERS) | st.text(LETTERS).map(lambda text: text + "plain words, " * 20)


def framed(text: str) -> str:
    """The definition, letter by letter."""
    return "".join(
        "ZªªZZ" if letter == "Z" else f"Z{letter}ZZ" if re.match(r"[^\W\x00-\x7f]", letter) else letter
        for letter in text
    )


@given(texts)
def test_letters_beyond_ascii_stand_in_frames(text: str) -> None:
    """However many there are, and whichever way is taken to write them."""
    assert Framed.encode(text) == framed(text).encode("utf-8", "surrogatepass")


@given(texts)
def test_what_is_written_is_as_long_as_the_text(text: str) -> None:
    """Code points are counted, frames are not."""
    assert Framed.length(Framed.encode(text)) == len(text)


@given(texts)
def test_what_is_written_can_be_read_again(text: str) -> None:
    """No two texts are written alike."""
    written = Framed.encode(text).decode("utf-8", "surrogatepass")
    assert re.sub("Z(?:(ªª)|(.))ZZ", lambda frame: "Z" if frame[1] else frame[2], written) == text


@pytest.mark.parametrize("text", ["zaé", "éa", "a", "ZéZ", "’é"])
def test_a_frame_begins_and_ends_with_what_re2_takes_for_a_letter(text: str) -> None:
    r"""So RE2's `\b` stands where Python's does."""
    ends = {match.start() for match in re.finditer(r"\b", text)}
    written = Framed.encode(text)
    places = {len(Framed.encode(text[:i])) for i in range(len(text) + 1)}
    assert {Framed.length(written[:i]) for i in places if re.search(rb"\A.{%d}\b" % i, written, re.DOTALL)} == ends
