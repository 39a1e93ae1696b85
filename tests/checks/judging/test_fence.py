"""The fence: offsets survive it, its nonce cannot be known, and what other checks point at is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specspan.checks.check import TextAt
from specspan.checks.judging.fence import escape, fence, find_quotation
from specspan.decision import Evidence

HOSTILE = st.text(st.sampled_from("ab \n\r<>|[]#`:\u200b\U000e0041\u2028\u202e") | st.characters(), max_size=60)


@given(HOSTILE)
def test_an_escaped_text_is_as_long_and_stays_as_it_is(text: str) -> None:
    """Each character is replaced by one, so that offsets hold; escaping twice changes nothing more."""
    escaped = escape(text)
    assert len(escaped) == len(text)
    assert escape(escaped) == escaped


@given(st.lists(HOSTILE, min_size=1, max_size=4))
def test_every_line_of_data_is_marked(texts: list[str]) -> None:
    """Whatever the texts hold, each line between the fence's two is data or a note of ours."""
    fenced = fence([TextAt(f"/output/0/parts/{n}", "assistant", text) for n, text in enumerate(texts)])
    first, *lines, last = fenced.block.split("\n")
    assert first.startswith("<<<call ")
    assert last == first.replace("<<<call", "<<<end of call")
    assert all(line.startswith(("| ", "~ ")) for line in lines)
    assert sum(line.startswith("~ ") for line in lines) == len(texts)


@given(st.text("abc \n", min_size=1, max_size=80), st.data())
def test_a_quotation_is_found_where_it_stands(text: str, data: st.DataObject) -> None:
    """A quotation of the text gives offsets at which the text says so."""
    start = data.draw(st.integers(0, len(text) - 1))
    quotation = text[start : data.draw(st.integers(start + 1, len(text)))]
    found = find_quotation(fence([TextAt("/output/0/parts/0", "assistant", text)]), quotation)
    if not quotation.strip():
        assert found is None
    else:
        assert found is not None
        assert text[found.start : found.end] == quotation.strip()


def test_what_is_not_in_the_text_is_not_found() -> None:
    """A quotation that the judge made up has no place."""
    fenced = fence([TextAt("/output/0/parts/0", "assistant", "It is late.")])
    assert find_quotation(fenced, "It is early.") is None
    assert find_quotation(fenced, "It  is\nlate.") == Evidence("/output/0/parts/0", 0, 11)


def test_the_nonce_is_that_of_the_texts() -> None:
    """One call has one fence in every request, and another call another one."""
    first, again, other = (fence([TextAt("/output/0/parts/0", "user", text)]).block for text in ("a", "a", "b"))
    assert first == again
    assert first.split("\n")[0] != other.split("\n")[0]


def test_a_place_in_the_middle_is_shown() -> None:
    """Of a long text, head and tail are shown, and what other checks point at."""
    text = "a" * 50_000 + "SECRET" + "b" * 50_000
    places = [Evidence("/output/0/parts/0", 50_000, 50_006)]
    shown = fence([TextAt("/output/0/parts/0", "user", text)], places, max_chars=5_000)
    hidden = fence([TextAt("/output/0/parts/0", "user", text)], max_chars=5_000)
    assert "SECRET" in shown.block
    assert "SECRET" not in hidden.block
    assert len(text) - 5_500 < shown.left_out_chars < len(text) - 4_000


def test_characters_that_nobody_sees_are_shown() -> None:
    """A message in characters without a form would reach the judge, and no reader."""
    hidden = "\u00ad\u200b\u2064\U000e0041\ufe01\U0001bca0\U0001d173\U0001d17a"
    assert escape(f"a{hidden}b") == f"a{chr(0xFFFD) * len(hidden)}b"
