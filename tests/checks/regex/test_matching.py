"""Search for many patterns in one pass, also where the pass is slow or runs out of memory."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

import pytest
import re2

from specspan.checks.regex import matching
from specspan.checks.regex.matching import PatternSet, Program, SetMember, has_gap, required_part
from specspan.checks.regex.parser import parse
from specspan.checks.regex.re2_syntax import Encoding, Framed, Plain

WORDS = [f"{first}{last}" for first in ("al", "be", "ca", "du") for last in ("na", "ro", "ti", "vu", "we")]
SOURCES = [rf"\b{word}\b" for word in WORDS] + [f"{word}.*{word}" for word in WORDS]
LONG = " ".join(random.Random(1).choices(WORDS[:15], k=20_000)).encode()
EXPECTED = [*range(15), *range(20, 35)]


def pattern_set(sources: Sequence[str], encoding: type[Encoding] = Plain) -> PatternSet:
    nodes = [parse(source) for source in sources]
    members = [SetMember(index, node, Program(node, encoding)) for index, node in enumerate(nodes)]
    return PatternSet(members, encoding)


def look_for(clock_ns: Callable[[], int] = lambda: 0) -> PatternSet:
    nodes = [parse(source) for source in SOURCES]
    return PatternSet(
        [SetMember(index, node, Program(node, Plain)) for index, node in enumerate(nodes)], Plain, clock_ns
    )


def test_hits_are_found_in_one_pass() -> None:
    """What hits is found, with gaps and without."""
    assert sorted(look_for().hits(LONG)) == EXPECTED


def test_a_text_on_which_the_pass_is_slow_is_searched_pattern_by_pattern() -> None:
    """The result is the same; the pass looks at two short pieces and no more."""
    clock: Iterator[int] = iter(range(0, 10**18, 10**12))
    searched = look_for(lambda: next(clock))
    lengths: list[int] = []
    for each in searched._passes:
        match = each._set.Match
        each._set = Spy(match, lengths)
    assert sorted(searched.hits(LONG)) == EXPECTED
    assert len(lengths) == 2
    assert max(lengths) < 5000 < len(LONG)


class Spy:
    def __init__(self, match: Callable[[bytes], list[int] | None], lengths: list[int]) -> None:
        self._match = match
        self._lengths = lengths

    def Match(self, data: bytes) -> list[int] | None:  # noqa: N802  (re2's name)
        self._lengths.append(len(data))
        return self._match(data)


def test_a_short_text_is_never_probed() -> None:
    """The clock is looked at only for long texts."""

    def no_clock() -> int:
        raise AssertionError("asked for the time")

    assert look_for(no_clock).hits(b"alna") == [0]


def test_what_does_not_fit_one_set_is_split(monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the memory budget there are several passes, with the same result."""
    monkeypatch.setattr(matching, "_SET_MEM_BYTES", 1 << 14)
    searched = look_for()
    assert len(searched._passes) > 1
    assert sorted(searched.hits(LONG)) == EXPECTED


def test_a_set_out_of_memory_is_not_taken_for_no_hit() -> None:
    """RE2 says "nothing" when its automaton has no memory left; then each pattern is looked for by itself."""
    searched = look_for()
    for each in searched._passes:
        each._set = Spy(lambda _: None, [])
    assert sorted(searched.hits(LONG)) == EXPECTED


@pytest.mark.parametrize("encoding", [Plain, Framed])
def test_filter_holds_only_patterns_with_telling_literals(encoding: type[Encoding]) -> None:
    """Patterns that the filter would run over every text are searched for one by one; all of them hit."""
    sources = ["secret.*token", r"[A-Z]{2}\d\d.*\d{4}", r"\w\w\d.*[a-f]{3}x", "confidential.*secret"]
    searched = pattern_set(sources, encoding)
    assert [each._confirmation._filtered for each in searched._passes] == [{0, 3}]
    text = "a confidential AB12 secret 9999 token abcx"
    assert sorted(searched.hits(encoding.encode(text))) == [0, 1, 2, 3]
    assert searched.hits(encoding.encode("token, secret")) == []


def test_patterns_whose_literals_are_too_many_for_a_filter_are_searched_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RE2 refuses to compile a filter of more than some hundred thousand letters; the patterns still hit."""

    def refuse(_: re2.Filter) -> None:
        raise re2.error("failed to compile Filter")

    monkeypatch.setattr(re2.Filter, "Compile", refuse)
    searched = pattern_set(["secret.*token", "confidential.*secret"])
    assert sorted(searched.hits(b"confidential secret token")) == [0, 1]


def test_filter_whose_automaton_outgrows_its_memory_misses_nothing() -> None:
    """The literals have more states than fit RE2's memory for a filter, and a text goes through all of them."""
    letters = random.Random(3)
    literals = ["".join(letters.choices("abcdef", k=1000)) for _ in range(80)]
    searched = pattern_set([f"{literal}.*end" for literal in literals])
    assert [len(each._confirmation._filtered) for each in searched._passes] == [80]
    assert sorted(searched.hits(f"{' '.join(literals)} end".encode())) == list(range(80))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("secret", "secret"),
        (r"secret\w*key", r"secret\w*key"),
        ("ab.*secret", "secret"),
        (r"\bsecret\b.*ab", r"\bsecret\b"),
        ("(?:ab.*secret|key)", "secret|key"),
        (r"(?:secret(?:\s|\w){0,50})+x", "secret"),
        ("(?:ab.*secret){2}", "secret"),
        (".{0,9}secret", "secret"),
        (".{0,8}secret", ".{0,8}secret"),
        ("(?:ab.*|.*)", None),
        (".*x?", None),
        (".", None),
        (r"\w\w", None),
        ("(?:ab.*)?(?:x.*)?[a-z]", None),
    ],
)
def test_the_most_telling_part_without_a_gap_is_looked_for(source: str, expected: str | None) -> None:
    """A pattern with a gap is stood for by what must be there in any case; too little is not looked for."""
    assert required_part(parse(source)) == (None if expected is None else parse(expected))


@pytest.mark.parametrize(
    ("source", "gap"), [("a.*b", True), (r"a\w*b", False), (r"a(?:\w+\s){0,20}b", True), ("a.{0,8}b", False)]
)
def test_a_gap_runs_over_words_and_blanks(source: str, gap: bool) -> None:
    """Within a word a match ends by itself."""
    assert has_gap(parse(source)) is gap
