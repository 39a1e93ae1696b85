"""Specs made by hypothesis, and comparing them by what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from specspan.spec.spec import Answer, Clause, Comparison, Example, Spec, Turn, Verdict

LADDER = ("owner", "product", "customer")

ids = st.text("abz09_.:-", min_size=1, max_size=6).map(lambda text: f"i{text}")
any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
any_line = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), max_size=20
).map(str.strip)  # fmt: skip
message = st.text("ab Zé好🙂<>&*#'\n\t", max_size=30)
words = st.lists(st.text("abcxyz", min_size=1, max_size=5), min_size=1, max_size=3).map(" ".join)
blocks = st.sampled_from(
    [
        "A paragraph\nof two lines.",
        "- a list\n- with [a link](https://example.com/#here)",
        "```python\n# no heading {#none}\n```",
        "    indented # code",
        "!!! note\n    An admonition.",
        "`<b>` & “quotes” — 好 🙂",
        "~~~xml\n<user>\n~~~",
    ]
)
prose = st.lists(words | blocks, max_size=3).map("\n\n".join)
attributes = st.dictionaries(st.sampled_from(["name", "end_turn", "line"]), message, max_size=2)
turns = st.builds(Turn, st.sampled_from(["system", "user", "assistant", "tool"]), message, attributes)
quoted = st.builds(
    lambda outer, inner: Turn(
        "user", f"See <untrusted>\n{inner}\n</untrusted> {outer}", {}, (Turn("untrusted", inner),)
    ),
    words,
    words.map(lambda text: f"<{text}> & more"),
)
verdicts = st.builds(
    Verdict, st.sampled_from(["GOOD", "BAD", "OK"]), st.none() | words, st.none() | words, st.none() | ids
)
several = st.tuples(turns, turns.map(lambda turn: replace(turn, role="tool")))
"""Messages of one answer: a second one of the assistant would stand as an answer of its own."""
answers = st.builds(Answer, several | st.tuples(turns), verdicts)


@st.composite
def examples(draw: st.DrawFn) -> Example:
    """An example with answers compared anywhere in its conversation."""
    conversation = draw(st.lists(turns | quoted | st.just(Turn("", "[...]")), max_size=3).map(tuple))
    places = sorted(draw(st.lists(st.integers(0, len(conversation)), max_size=2)))
    compared = tuple(Comparison(draw(st.lists(answers, min_size=1, max_size=2).map(tuple)), place) for place in places)
    return Example(draw(words), conversation, compared)


@st.composite
def specs(draw: st.DrawFn, text: st.SearchStrategy[str] = prose, title: st.SearchStrategy[str] = words) -> Spec:
    """Any spec: sections within sections, some with a level of authority."""
    found: dict[str, Clause] = {}
    above: list[Clause] = []
    ends = draw(st.lists(st.booleans(), min_size=8, max_size=8))
    for id_ in draw(st.lists(ids, min_size=1, max_size=4, unique=True)):
        while above and (ends.pop() or above[-1].level > 4):
            above.pop()
        level = above[-1].level + 1 + len(above[-1].id) % 2 if above else 1  # beside one another, equally deep
        clause = Clause(
            id=id_,
            title=draw(title),
            text=draw(text).strip("\n"),
            authority=draw(st.none() | st.sampled_from(LADDER)),
            parent=above[-1].id if above else None,
            level=level,
            tags=draw(st.lists(ids, unique=True, max_size=2).map(tuple)),
            commentary=draw(text).strip("\n"),
            references=draw(st.lists(ids, unique=True, max_size=2).map(tuple)),
            examples=draw(st.lists(examples(), max_size=1).map(tuple)),
        )
        found[id_] = clause
        above.append(clause)
    return Spec("acme", draw(st.none() | st.just("2026-01")), "sha256:0", LADDER, found)


def said(spec: Spec) -> tuple[str, str | None, tuple[str, ...], Mapping[str, Clause]]:
    """What a spec says: without digest, source and line numbers."""
    return spec.id, spec.version, spec.ladder, {id_: without_lines(clause) for id_, clause in spec.clauses.items()}


def without_lines(clause: Clause) -> Clause:
    """A clause wherever it stands."""
    return replace(clause, line=0, examples=tuple(replace(example, line=0) for example in clause.examples))
