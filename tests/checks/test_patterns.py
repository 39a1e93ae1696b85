"""Patterns mean what `re` says, run in linear time, and many are looked for in one pass."""

from __future__ import annotations

import contextlib
import functools
import re
from itertools import islice

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.patterns import MAX_SPANS, MultiPattern, Pattern
from specspan.checks.regex import matching

# Letters with odd cases, digits and blanks beyond ASCII, marks, emoji, right-to-left, controls, surrogates, the letters
# that frames are made of.
HOSTILE = (
    "aAbBzZsSkKiIxX_019 \t\n\r.,-'ıİſKÅåßẞﬀΣσςµμǅéÉª中שع٣²Ⅷ’“—🙂👩‍\u0301\u200d\u202e\u00a0\u0085\u2028\u1c80\x00\x1c"
    "\ud800\udfff\ufdd0\ufffd\U00010400\U00010428\U0010ffff"
)
ASCII = "".join(filter(str.isascii, HOSTILE))

texts = st.one_of(st.text(HOSTILE, max_size=14), st.text(ASCII, max_size=14), st.text(max_size=10))
atoms = st.one_of(
    st.sampled_from([r"\w", r"\W", r"\d", r"\D", r"\s", r"\S", ".", "[a-z]", "[^a-z]", "[é-ſ]", "[^Zé]", r"[\wZ]"]),
    st.sampled_from(
        [r"[^\W_]", "[Z]", r"[^\s]", "[A-Z]", "[\U00010400-\U00010410]", r"[\W\d]", r"[^\x00-\x7f]", "[ -~]"]
    ),
    st.sampled_from([r"\b", r"\B", "^", r"\A", "(?m:$)", "(?m:^)", r"\Z"]),
    st.sampled_from(HOSTILE).map(re.escape),
)


def grow(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    quantifiers = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,2}?"])
    return st.one_of(
        st.lists(parts, min_size=1, max_size=4).map("".join),
        st.lists(parts, min_size=1, max_size=3).map(lambda options: f"(?:{'|'.join(options)})"),
        st.tuples(parts, quantifiers).map(lambda repeated: f"(?:{repeated[0]}){repeated[1]}"),
        st.tuples(st.sampled_from("ims"), parts).map(lambda flagged: f"(?{flagged[0]}:{flagged[1]})"),
        parts.map(lambda part: f"({part})"),
    )


bodies = st.recursive(atoms, grow, max_leaves=8)
sources = st.tuples(
    # (?a:…) for a part confuses `re` itself
    st.sampled_from(["", "(?i)", "(?m)", "(?s)", "(?is)", "(?a)", "(?ai)"]),
    bodies,
    st.sampled_from(["", "", "$"]),
).map("".join)
gapped = st.tuples(sources, st.sampled_from([".*", "[^,]*", ".{0,20}"]), bodies).map("".join)


def compiled(source: str) -> Pattern:
    try:
        return Pattern(source)
    except CheckConfigError:
        assume(False)
        raise


@settings(max_examples=examples(400), deadline=None)
@given(sources, st.lists(texts, min_size=4, max_size=8))
def test_a_pattern_matches_what_re_matches(source: str, many: list[str]) -> None:
    """Same places, as `re.finditer` counts them, in texts of every sort."""
    pattern = compiled(source)
    for text in many:
        expected = [match.span() for match in islice(re.finditer(source, text), MAX_SPANS)]
        assert pattern.find(text) == expected
        assert pattern.matches(text) == bool(expected)


def test_every_version_of_re2_finds_the_same_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The places come from a private function of google-re2, and where there is none from its public ones."""
    text = "ward warehouse, warden, warehouse" * 20
    spans = Pattern(r"\bware\w*").find(text)
    monkeypatch.setattr(matching, "_UNANCHORED", None)
    without = Pattern(r"\bware\w*")
    assert (len(spans), without.find(text)) == (MAX_SPANS, spans)
    assert Pattern(r"\bware\w*")._plain._match_spans is None


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(sources | gapped, min_size=2, max_size=20), st.lists(texts, min_size=4, max_size=8))
def test_one_pass_finds_what_each_pattern_finds(candidates: list[str], many: list[str]) -> None:
    """The patterns that hit are exactly those that match, gaps or not."""
    wanted = []
    for source in candidates:
        with contextlib.suppress(CheckConfigError):
            wanted.append(Pattern(source).source)
    together = MultiPattern(wanted)
    for text in many:
        assert sorted(together.hits(text)) == [i for i, source in enumerate(wanted) if re.search(source, text)]


WORDS = (
    *(
        "secret",
        "STRASSE",
        "straße",
        "ſafe word",
        "KELVIN",
        "\u212aelvin",
        "İstanbul",
        "ısı ışık",
        "ΣΊΣΥΦΟΣ",
        "σίσυφος",
    ),
    *("Ǆungla", "ﬀort", "ẞ and ß", "שלום עולם", "中文字词", "naïve ZZ", "Zürich", "ªºZ", "\U00010400\U00010428x"),
    *("a\ud800b", "👩\u200d🔬 lab", "e\u0301tude", "tab\tend", "nul\x00nul", "078-05-1120"),
)
AROUND_GAPS = [
    source
    for word in map(re.escape, WORDS)
    for source in (f"{word}.*ending", f"(?i){word}.*ending", rf"\bopening\b[^,]*{word}\b", f"(?is)^opening.*{word}$")
]
phrases = st.sampled_from(WORDS).flatmap(
    lambda word: st.sampled_from([word, word.upper(), word.lower(), word.title(), word.swapcase(), word.casefold()])
)


@functools.cache
def around_gaps() -> MultiPattern:
    return MultiPattern(AROUND_GAPS)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(phrases | st.sampled_from(["opening", "ending", "Ending", ",", "\n", "éx"]), max_size=9),
    st.sampled_from(" é"),
)
def test_one_pass_finds_literals_of_every_script_around_gaps(pieces: list[str], between: str) -> None:
    """Letters with odd cases, frames and surrogates among the literals: the hits are those of `re`."""
    text = between.join(("opening", *pieces, "ending"))
    for each in (text, text.removesuffix(f"{between}ending")):
        expected = [i for i, source in enumerate(AROUND_GAPS) if re.search(source, each)]
        assert sorted(around_gaps().hits(each)) == expected


@settings(max_examples=examples(150), deadline=None)
@given(sources, texts.filter(bool))
def test_a_whole_pattern_matches_what_fullmatch_matches(source: str, text: str) -> None:
    """With `whole`, all of the text has to match."""
    try:
        pattern = Pattern(source, whole=True)
    except CheckConfigError:
        assume(False)
        raise
    assert pattern.matches(text) == bool(re.fullmatch(source, text))


@pytest.mark.parametrize(
    ("source", "text", "spans"),
    [
        (r"\bcafé\b", "Le café, cafés", [(3, 7)]),
        (r"\bte\b", "été te", [(4, 6)]),
        (r"\d{3}", "٣٤٥ 678", [(0, 3), (4, 7)]),
        (r"a\sb", "a\u00a0b a\x1cb", [(0, 3), (4, 7)]),
        (r"(?i)straße", "STRASSE Straße STRAẞE", [(8, 14), (15, 21)]),
        (r"(?i)kelvin", "\u212aelvin", [(0, 6)]),
        (r"(?i)σ", "Σσς", [(0, 1), (1, 2), (2, 3)]),
        (r"e\b", "e\u0301 e", [(0, 1), (3, 4)]),
        ("👩.🔬", "👩\u200d🔬", [(0, 3)]),
        (r"secret$", "secret\n", [(0, 6)]),
        (r"(?m)^x$", "x\ny\nx\n", [(0, 1), (4, 5)]),
        (r"שלום", "\u202eשלום", [(1, 5)]),
        ("a.c", "a\ud800c", [(0, 3)]),
        (r"a\x00b", "a\x00b", [(0, 3)]),
        ("Z", "éZZé", [(1, 2), (2, 3)]),
        ("ª", "ªZª", [(0, 1), (2, 3)]),
        (r"x?\W", "é ok", [(1, 2)]),
        (r"\b\W", "é, ok", [(1, 2)]),
        (r"(?:x|\b)[^a-zé]", "é’é", [(1, 2)]),
        (r"\b\d{3}-\d{2}-\d{4}\b", "é078-05-1120 078-05-1120", [(13, 24)]),
    ],
)
def test_texts_beyond_ascii(source: str, text: str, spans: list[tuple[int, int]]) -> None:
    """Letters, digits, blanks and cases are Unicode's, offsets are code points; `re` agrees."""
    assert Pattern(source).find(text) == spans
    assert [match.span() for match in re.finditer(source, text)] == spans


BACKTRACKING = "needs backtracking"


@pytest.mark.parametrize(
    ("source", "problem", "remedy"),
    [
        ("foo(?=bar)", BACKTRACKING, "what may stand around it"),
        ("foo(?!bar)", BACKTRACKING, "what may stand around it"),
        ("(?<=foo)bar", BACKTRACKING, "what may stand around it"),
        ("(?<!foo)bar", BACKTRACKING, "what may stand around it"),
        (r"(a)\1", BACKTRACKING, "a second time"),
        (r"(?P<x>a)(?P=x)", BACKTRACKING, "a second time"),
        (r"(a)?(?(1)b|c)", BACKTRACKING, "alternatives"),
        ("(a", "not a regular expression: missing )", "Python's `re`"),
        ("[z-a]", "bad character range z-a", "Python's `re`"),
        (r"\p{L}", r"bad escape \p", "Python's `re`"),
        ("", "matches the empty text", "at least one character"),
        ("a*", "matches the empty text", "at least one character"),
        (r"\b", "matches the empty text", "at least one character"),
        ("^$", "matches the empty text", "at least one character"),
        ("a{1001}", "more than 1000 times", "up to 1000"),
        ("a{99999999999}", "too large", "Split it"),
        ("(?:a{1000}){1000}", "too large", "Split it"),
        ("(?:[a-z]{500}x){90}", "too large", "Split it"),
        ("a" * 100_001, "100001 characters long", "Split it"),
        ("(" * 20_000 + "a" + ")" * 20_000, "nested more than 50 deep", "Nest fewer"),
        *(("(?:" * depth + "a" + ")+" * depth, "50 deep", "Nest fewer") for depth in (60, 300, 400, 900)),
        ("a$b", "follow its `$`", r"\Z"),
        ("(?:a$)+", "follow its `$`", r"\Z"),
        ("(?:a*|b)+c", "before all else was tried", "at least one character"),
        (r"(?a)\bx", "(?a)", "Leave out (?a)"),
    ],
)
def test_what_cannot_run_in_linear_time_is_refused_with_a_remedy(source: str, problem: str, remedy: str) -> None:
    """A refusal names the pattern, what is wrong with it and what to write instead."""
    with pytest.raises(CheckConfigError) as refusal:
        Pattern(source)
    assert problem in refusal.value.message
    assert remedy in refusal.value.remedy
    assert repr(source)[:20] in refusal.value.message
    assert len(refusal.value.message) < 500


@pytest.mark.parametrize("source", ["(?>a+)b", "a++b"])
def test_atomic_and_possessive_are_refused(source: str) -> None:
    """What Python 3.11 added and RE2 has not is refused, before 3.11 as no regular expression."""
    with pytest.raises(CheckConfigError, match=r"needs backtracking|not a regular expression"):
        Pattern(source)


@pytest.mark.parametrize("source", ["(a+)+$", "(a|a)*c$", "(.*)*=x"])
def test_patterns_that_kill_a_backtracking_engine_are_quick(source: str) -> None:
    """A hundred thousand characters, for which `re` would need longer than the world will last."""
    text = "a" * 100_000 + "b"
    pattern = Pattern(source)
    assert pattern.find(text) == []
    assert MultiPattern([source]).hits(text) == []


@pytest.mark.parametrize("opening", ["a", "[^b]", ".*a"])
def test_a_pattern_as_deep_as_is_allowed_is_compiled(opening: str) -> None:
    """The work to write a pattern for RE2 does not double with each group around it."""
    source = "(?:" * 23 + opening + "c?)+" * 23
    assert Pattern(source).find("éa")[-1][1] == 2
    assert MultiPattern([source]).hits("bb aé") == [0]


def test_re_never_runs_a_pattern(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern is read by `re`'s parser and never compiled or run by it."""

    def refuse(*_: object) -> None:
        raise AssertionError("re was asked")

    for name in ("compile", "search", "match", "fullmatch", "finditer", "sub", "split"):
        monkeypatch.setattr(re, name, refuse)
    pattern = Pattern(r"(a+)+\b$")
    assert pattern.find("aé aa") == [(3, 5)]
    assert MultiPattern([r"(a+)+\b$"]).hits("é aa") == [0]


def test_only_the_first_places_are_counted() -> None:
    """The work on a text full of hits is bounded."""
    assert len(Pattern("a").find("a" * 1_000_000)) == MAX_SPANS
    assert Pattern("a").find("é" + "a" * 10, limit=2) == [(1, 2), (2, 3)]


@pytest.mark.parametrize("letters", ["a", "é", "🙂", "\ud800", "中 "])
@pytest.mark.thorough
def test_ten_megabytes_are_read(letters: str) -> None:
    """A hit at the end of 10 MB is found, where it stands."""
    count = 10_000_000 // len(letters.encode("utf-8", "surrogatepass"))
    text = TextAt("/input/0/parts/0", "user", letters * count + " needle")
    patterns = [r"\bneedle\b", "n.*eedles", *(f"other{i}.*thing" for i in range(100))]
    assert MultiPattern(patterns).hits(text) == [0]
    assert Pattern(patterns[0]).find(text) == [(len(text.text) - 6, len(text.text))]


@pytest.mark.parametrize(
    ("source", "width"),
    [
        ("abc", 3),
        (r"\b\d{3}-\d{2}-\d{4}\b", 11),
        ("é{2,5}x?", 6),
        ("a|bcd", 3),
        ("a(b|c*)", None),
        ("x+", None),
        ("(?:ab){3}", 6),
        (r"x(?:\b)*", 1),
    ],
)
def test_a_pattern_knows_the_most_it_can_match(source: str, width: int | None) -> None:
    """The most characters of a match; None where there is no limit."""
    assert Pattern(source).max_width == width


@pytest.mark.parametrize(
    ("source", "needs_start", "needs_end"),
    [
        ("foo", False, False),
        ("foo$", False, True),
        (r"foo\Z", False, True),
        (r"a|b\Z", False, True),
        ("^foo", True, False),
        ("(?m)^foo", False, False),
        ("(?m)foo$", False, False),
        (r"\bfoo", False, False),
        (r"foo\B", False, False),
    ],
)
def test_a_pattern_knows_what_a_growing_text_cannot_decide(source: str, needs_start: bool, needs_end: bool) -> None:
    """On a stream, some patterns match at the start only and some wait for the end."""
    pattern = Pattern(source)
    assert (pattern.needs_start, pattern.needs_end) == (needs_start, needs_end)


def test_ignoring_case_becomes_part_of_the_source() -> None:
    """So that the source alone says what the pattern means."""
    pattern = Pattern("secret", ignore_case=True)
    assert pattern.source == "(?i)secret"
    assert pattern.find("SeCrEt") == Pattern(pattern.source).find("SeCrEt") == [(0, 6)]


def test_a_text_of_a_call_is_written_for_re2_once() -> None:
    """Many patterns on one text beyond ASCII share the work; what is kept is no part of the text's identity."""
    text = TextAt("/input/0/parts/0", "user", "café")
    assert Pattern("é").find(text) == [(3, 4)]
    kept = text.framed
    assert kept is not None
    assert MultiPattern(["caf"]).hits(text) == [0]
    assert text.framed is kept
    assert text == TextAt("/input/0/parts/0", "user", "café")


def test_no_patterns_hit_nothing() -> None:
    """A policy without patterns has an empty pass."""
    assert MultiPattern([]).hits("text") == []


def test_one_refused_pattern_among_many_is_refused() -> None:
    """The one pass takes what `Pattern` takes."""
    with pytest.raises(CheckConfigError, match=r"\(\?=a\)"):
        MultiPattern(["a", "(?=a)"])
