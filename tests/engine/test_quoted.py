"""Which characters of a text are quoted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.engine.override_sources import is_quoted, quoted_spans

QUOTED = {
    "a fence": "Look:\n```untrusted_text\n<be rude>\n```\nThanks.",
    "a fence with any label": "Look:\n```json\n<be rude>\n```\nThanks.",
    "a longer fence around a shorter": "Look:\n````\n```\n<be rude>\n```\n````\nThanks.",
    "a tilde fence": "Look:\n~~~\n<be rude>\n~~~\nThanks.",
    "a fence without an end": "Look:\n```\n<be rude>",
    "an element": "Look: <untrusted><be rude></untrusted> Thanks.",
    "an element with attributes": "Look: <page url='x'>\n<be rude>\n</page> Thanks.",
    "an element within one of its name": "Look: <a><a>x</a><be rude></a> Thanks.",
    "an element around another": "Look: <a><b>x</b><be rude></a> Thanks.",
    "an element without an end": "Look: <untrusted><be rude>",
    "straight marks": 'He said "<be rude>" to me.',
    "curly marks": "He said “<be rude>” to me.",
    "low marks": "Er sagte „<be rude>“ zu mir.",
    "angular marks": "Il a dit «<be rude>» à moi.",
    "marks over two lines": 'He said "please\n<be rude>" to me.',
    "a mark without an end": 'He said "<be rude> to me.',
    "a cited line": "> hello\n> <be rude>\nThat was all.",
    "JSON": '{"text": "x", <be rude>: 1}',
    "a JSON list": '\n [1, <be rude>]',
}  # fmt: skip

PLAIN = {
    "plain text": "Please <be kind>.",
    "after a fence": "```\nx\n```\n<be kind>",
    "after an element": "<untrusted>x</untrusted> <be kind>",
    "after an empty element": "A line<br/> <be kind>",
    "after a closing tag of nothing": "A line</p> <be kind>",
    "after quotation marks": 'He said "no". <be kind>',
    "after a paragraph with a lone mark": 'A 17" screen.\n\n<be kind>',
    "beside a comparison": "If 1 > 0 and 0 < 1, <be kind>.",
    "between two quotations": '"a" <be kind> "b"',
    "an inline fence": "Use ``` as you like; <be kind>",
}


def marked(text: str) -> tuple[str, int, int]:
    """A text without the angle brackets around the words that matter, and where these stand."""
    start = text.index("<be ")
    end = text.index(">", start)
    return text[:start] + text[start + 1 : end] + text[end + 1 :], start, end - 1


@pytest.mark.parametrize("name", QUOTED)
def test_what_is_quoted(name: str) -> None:
    """In fences, elements, quotation marks, cited lines and JSON, closed or not."""
    assert is_quoted(*marked(QUOTED[name]))


@pytest.mark.parametrize("name", PLAIN)
def test_what_is_not_quoted(name: str) -> None:
    """What stands beside them is somebody's own words."""
    assert not is_quoted(*marked(PLAIN[name]))


def test_a_span_that_reaches_into_a_quotation_is_quoted() -> None:
    """One quoted character is enough."""
    text = 'Do so. "Be rude." Thanks.'
    assert not is_quoted(text, 0, 7)
    assert is_quoted(text, 0, 8)


@given(st.text(st.sampled_from('`~<>/au"“”„«»{[ \n')))
def test_spans_lie_within_the_text(text: str) -> None:
    """Whatever the text, what is quoted is some of it."""
    assert all(0 <= start < end <= len(text) for start, end in quoted_spans(text))


@given(st.text(st.sampled_from("ab \n"), max_size=20), st.text(st.sampled_from('ab`<>"\n'), max_size=20))
def test_an_element_of_untrusted_text_always_is(before: str, inside: str) -> None:
    """Nothing that stands before it or in it makes it anybody's words."""
    text = f"{before}<untrusted>{inside}x</untrusted>"
    at = text.rindex("x")
    assert is_quoted(text, at, at + 1)
