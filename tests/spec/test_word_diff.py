"""Two texts as one: nothing is lost, what stays is found, and no text takes time out of proportion."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.spec.word_diff import MAX_WORD_LEVEL_CHARS, Edit, Piece, common_pairs, word_diff

TEXTS = st.text("ab \n.-é", max_size=80) | st.lists(st.sampled_from(["one", "two", "three ", "\n\n", ", "])).map(
    " ".join
)


def told(old: str, new: str) -> str:
    """A diff in one line: what goes in brackets, what comes in braces."""
    forms = {Edit.SAME: "{}", Edit.REMOVED: "[{}]", Edit.ADDED: "{{{}}}"}
    return "".join(forms[piece.edit].format(piece.text) for piece in word_diff(old, new))


def side(pieces: tuple[Piece, ...], without: Edit) -> str:
    """The text of a diff with one kind of piece left out."""
    return "".join(piece.text for piece in pieces if piece.edit is not without)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_back(old: str, new: str) -> None:
    """A diff without what came is the old text, without what went the new one, and no piece is empty."""
    pieces = word_diff(old, new)
    assert (side(pieces, Edit.ADDED), side(pieces, Edit.REMOVED)) == (old, new)
    assert all(piece.text for piece in pieces)
    assert all(one.edit is not other.edit for one, other in itertools.pairwise(pieces))


@given(TEXTS)
def test_a_text_is_the_same_as_itself(text: str) -> None:
    """Where nothing differs, nothing is said to go or to come."""
    assert {piece.edit for piece in word_diff(text, text)} <= {Edit.SAME}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "come", "{come}"),
        ("gone", "", "[gone]"),
        ("Never share account numbers.", "Never show account numbers.", "Never [share]{show} account numbers."),
        ("Be kind and helpful.", "Be kind, warm and helpful.", "Be kind{, warm} and helpful."),
        ("Keep to the user's goals.", "Keep to the user’s goals.", "Keep to the [user's]{user’s} goals."),
        ("One.\n\nTwo stays.\n\nThree.", "One.\n\nThree.", "One.\n\n[Two stays.\n\n]Three."),
        (
            "Keep what they say.\n\nAlways do so here.",
            "Keep what they tell.\n\nNever do so here.",
            "Keep what they [say]{tell}.\n\n[Always]{Never} do so here.",
        ),
        ("Ask before acting on it.", "Verify before deciding on it.", "[Ask]{Verify} before [acting]{deciding} on it."),
    ],
)
def test_changes_are_told_by_words(old: str, new: str, expected: str) -> None:
    """Words that go and words that come are named, and what surrounds them stays."""
    assert told(old, new) == expected


def test_a_small_word_between_two_changes_is_no_island() -> None:
    """A word of three letters between two changes is read as part of one change, not as what stayed."""
    old, new = "Give them reasons to trust the answer you gave.", "Give them causes to doubt the answer you gave."
    assert told(old, new) == "Give them [reasons to trust]{causes to doubt} the answer you gave."


def test_texts_with_little_in_common_are_told_one_after_the_other() -> None:
    """Where hardly a word stays, the old text is shown whole and then the new one."""
    old, new = "Refuse to name the people involved.", "Greet every guest with the warmest smile."
    assert told(old, new) == f"[{old}]{{{new}}}"


def test_very_long_changes_are_told_by_paragraphs() -> None:
    """Beyond a length, changed paragraphs are not looked into, and the paragraphs around them still stay."""
    long = "word " * (MAX_WORD_LEVEL_CHARS // 5)
    pieces = word_diff(f"First.\n\n{long}old\n\nLast.", f"First.\n\n{long}new\n\nLast.")
    assert [piece.edit for piece in pieces] == [Edit.SAME, Edit.REMOVED, Edit.ADDED, Edit.SAME]
    assert pieces[1].text == f"{long}old\n\n"


WORDS = [f"w{n}" for n in range(50)]
HARD = {
    "two words in another rhythm": ("a b " * 24_000, "a a b " * 24_000),
    "random words of few": (
        " ".join(random.Random(1).choices(WORDS, k=60_000)),
        " ".join(random.Random(2).choices(WORDS, k=60_000)),
    ),
    "all backwards": (" ".join(f"x{n}" for n in range(30_000)), " ".join(f"x{n}" for n in reversed(range(30_000)))),
    "many short paragraphs": (
        "".join(f"p{n % 97}\n\n" for n in range(40_000)),
        "".join(f"p{n % 89}\n\n" for n in range(40_000)),
    ),
}


@pytest.mark.parametrize("name", HARD)
def test_hard_texts_are_compared_whole(name: str) -> None:
    """Texts that make a comparison of all with all take minutes are compared, and nothing of them is lost."""
    old, new = HARD[name]
    pieces = word_diff(old, new)
    assert (side(pieces, Edit.ADDED), side(pieces, Edit.REMOVED)) == (old, new)


@given(st.lists(st.sampled_from("abcd"), max_size=60), st.lists(st.sampled_from("abcd"), max_size=60))
def test_what_both_have_is_a_longest_common_subsequence_where_that_is_affordable(
    old: list[str], new: list[str]
) -> None:
    """Pairs are of equal items, grow on both sides, and of short sequences no longer selection exists."""
    pairs = common_pairs(old, new)
    assert all(old[i] == new[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in itertools.pairwise(pairs))
    longest = [0] * (len(new) + 1)
    for item in old:
        before = longest[:]
        for j, other in enumerate(new):
            longest[j + 1] = before[j] + 1 if item == other else max(before[j + 1], longest[j])
    assert len(pairs) == longest[-1]


@given(st.permutations(range(90)))
def test_anchors_of_long_sequences_keep_their_order(order: list[int]) -> None:
    """Of a shuffled sequence of unique items the longest run in order is found, and its pairs are right."""
    old, new = [str(n) for n in range(90)], [str(n) for n in order]
    pairs = common_pairs(old, new)
    assert all(old[i] == new[j] for i, j in pairs)
    tops: list[int] = []
    for n in order:
        place = next((k for k, top in enumerate(tops) if top > n), len(tops))
        tops[place : place + 1] = [n]
    assert len(pairs) == len(tops)
