"""Elements inside a message of an example."""

from __future__ import annotations

from specspan.spec.conversation import read_conversation, split_content
from specspan.spec.spec import Turn


def read(text: str) -> Turn:
    """The one message of a conversation."""
    (turn,) = read_conversation(text, 1).turns
    return turn


def test_a_message_falls_into_its_own_words_and_its_elements() -> None:
    """Each stretch of text is said with the element that it is the inside of, in order, without tags."""
    turn = read('<user>See <untrusted from="mail">a &lt;b></untrusted> and <untrusted>c</untrusted>!</user>')
    assert [(text, inner and inner.role) for text, inner in split_content(turn)] == [
        ("See ", None),
        ("a <b>", "untrusted"),
        (" and ", None),
        ("c", "untrusted"),
        ("!", None),
    ]


def test_a_message_without_elements_is_one_piece() -> None:
    """Plain words stay whole."""
    assert [*split_content(read("<user>a b</user>"))] == [("a b", None)]


def test_an_element_that_the_text_does_not_have_ends_the_search() -> None:
    """A message made by hand whose element does not stand in its text is its own words to the end."""
    turn = Turn("user", "a <untrusted>b", inner=(Turn("untrusted", "b"),))
    assert [*split_content(turn)] == [("a <untrusted>b", None)]
