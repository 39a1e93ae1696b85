"""What changed between two versions of a spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.spec.diff import Aspect, Change, ClauseChange, SpecDiff, diff, in_document_order
from specspan.spec.diff_json import diff_to_json
from specspan.spec.read import load_spec
from specspan.spec.spec import Answer, Clause, Comparison, Example, Spec, Turn, Verdict
from specspan.spec.word_diff import Edit, word_diff

Load = Callable[[str], Spec]

OLD = """\
---
id: shop
version: "1"
ladder: [owner, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner tags=eu}

Never tell a customer what another customer bought.

!!! meta "Commentary"
    People trust us.

**Example**: asking

~~~xml
<user>
What did she buy?
</user>
~~~

**Example**: begging

~~~xml
<user>
Please?
</user>
~~~

## Be polite {#be_polite authority=clerk}

Greet everybody who comes in through the door and thank them when they go.

## Stock {#stock authority=clerk}

Count it.
"""

NEW = """\
---
id: shop
version: "2"
ladder: [owner, manager, clerk]
---
# Shop {#shop}

## Stock {#stock authority=manager}

Count it.

### Guard secrets {#keep_secrets authority=owner tags=eu,us}

Never tell a customer what other people bought.

!!! meta "Commentary"
    People trust this shop.

**Example**: asking

~~~xml
<user>
What did he buy?
</user>
~~~

**Example**: bribing

~~~xml
<user>
For ten?
</user>
~~~

## Be courteous {#be_courteous authority=clerk}

Greet everybody who comes in through the door and thank them when they leave.
"""


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a text as a spec."""

    def from_text(text: str) -> Spec:
        path = tmp_path / "shop.md"
        path.write_text(text, encoding="utf-8")
        return load_spec(path)

    return from_text


@pytest.fixture
def shop(load: Load) -> SpecDiff:
    """Everything that can change, changed."""
    return diff(load(OLD), load(NEW))


def test_clauses_that_came_and_went_are_named(shop: SpecDiff) -> None:
    """An id that only one version has is added or removed; what looks like the same clause is suggested as renamed."""
    assert [clause.id for clause in shop.added] == ["be_courteous"]
    assert [clause.id for clause in shop.removed] == ["be_polite"]
    (rename,) = shop.renames
    assert (rename.old, rename.new) == ("be_polite", "be_courteous")
    assert 0.85 < rename.similarity < 1


def test_every_aspect_of_a_clause_is_told_apart(shop: SpecDiff) -> None:
    """Title, place, depth, tags, text, commentary and examples are each named where they differ, and only there."""
    by_id = {change.id: set(change.aspects) for change in shop.changed}
    aspects = (Aspect.TITLE, Aspect.PARENT, Aspect.LEVEL, Aspect.TAGS, Aspect.TEXT, Aspect.COMMENTARY, Aspect.EXAMPLES)
    assert by_id == {"stock": {Aspect.AUTHORITY}, "keep_secrets": set(aspects)}
    assert shop.unchanged == 1


def test_examples_are_told_apart_by_title_and_content(shop: SpecDiff) -> None:
    """Of examples, one of the same title with other content is changed; others came or went."""
    examples = next(change for change in shop.changed if change.id == "keep_secrets").examples
    assert [one.new.title for one in examples.changed] == ["asking"]
    assert [example.title for example in examples.removed] == ["begging"]
    assert [example.title for example in examples.added] == ["bribing"]


def test_an_example_under_another_title_is_changed(load: Load) -> None:
    """A conversation that only got another title neither came nor went."""
    found = diff(load(OLD), load(OLD.replace("**Example**: begging", "**Example**: pleading")))
    (change,) = found.changed
    assert [(one.old.title, one.new.title) for one in change.examples.changed] == [("begging", "pleading")]
    assert not change.examples.added
    assert not change.examples.removed


def test_ladder_and_order_are_compared(shop: SpecDiff) -> None:
    """Another chain of command and another order of the clauses are differences of the spec."""
    assert shop.ladder == Change(("owner", "clerk"), ("owner", "manager", "clerk"))
    assert shop.reordered


def test_lines_are_no_difference(load: Load) -> None:
    """A document whose clauses only stand on other lines says the same."""
    found = diff(load(OLD), load(OLD.replace("# Shop {#shop}\n", "# Shop {#shop}\n\n\n<!-- moved down -->\n\n")))
    assert found.empty
    assert found.old.digest != found.new.digest


def test_a_removed_clause_is_read_where_it_stood(shop: SpecDiff) -> None:
    """In reading order a removed clause comes behind the one it stood behind."""
    ids = [entry.id for entry in in_document_order(shop)]
    assert ids == ["stock", "keep_secrets", "be_polite", "be_courteous"]


def test_json_names_every_difference(shop: SpecDiff) -> None:
    """As JSON, a diff has its counts, both values of whatever changed, and the words of a text."""
    told = diff_to_json(shop)
    assert told["counts"]["added"] == told["counts"]["removed"] == told["counts"]["unchanged"] == 1
    assert told["counts"]["authority"] == 1
    stock, secrets = told["changed"]
    assert stock["authority"] == {"old": "clerk", "new": "manager"}
    assert "text" not in stock
    assert ["removed", "another customer"] in secrets["text"]["words"]
    assert ["added", "other people"] in secrets["text"]["words"]


def test_two_published_revisions(model_specs: Path) -> None:
    """From 2025-04-11 to 2025-09-12, 11 ids came, 5 went, and 19 clauses went from platform to root or system."""
    found = diff(load_spec(model_specs / "2025-04-11.md"), load_spec(model_specs / "2025-09-12.md"))
    assert (len(found.added), len(found.removed)) == (11, 5)
    levels = [(change.old.authority, change.new.authority) for change in found.with_aspect(Aspect.AUTHORITY)]
    assert len(levels) == 19
    assert {old for old, _ in levels} == {"platform"}
    assert {new for _, new in levels} == {"root", "system"}
    assert [(one.old, one.new) for one in found.renames] == [("be_kind", "love_humanity")]


def test_two_texts_of_one_date(model_specs: Path) -> None:
    """The two texts dated 2025-12-18 differ in one sentence of one clause."""
    found = diff(load_spec(model_specs / "2025-12-18.md"), load_spec(model_specs / "2025-12-18-rev2.md"))
    assert (found.added, found.removed, found.ladder, found.reordered) == ((), (), None, False)
    (change,) = found.changed
    assert (change.id, change.aspects) == ("be_rationally_optimistic", (Aspect.TEXT,))
    edits = [piece for piece in word_diff(change.old.text, change.new.text) if piece.edit is not Edit.SAME]
    assert [piece.edit for piece in edits] == [Edit.REMOVED]
    assert edits[0].text.startswith("It draws inspiration from humanity")
    assert edits[0].text.endswith("continuing that momentum. ")


WORD = st.sampled_from(["alpha", "beta", "gamma delta", "", "epsilon zeta eta theta"])
LADDERS = st.sampled_from([("root", "user"), ("user", "root"), ("owner", "root", "user")])
TURNS = st.builds(Turn, st.sampled_from(["user", "assistant"]), WORD)
ANSWERS = st.builds(
    Answer, st.tuples(TURNS), st.none() | st.builds(Verdict, st.sampled_from(["GOOD", "BAD"]), st.none() | WORD)
)
EXAMPLES = st.builds(
    Example,
    st.sampled_from(["asks", "answers"]),
    st.lists(TURNS, max_size=2).map(tuple),
    st.lists(st.builds(Comparison, st.tuples(ANSWERS), st.just(0)), max_size=1).map(tuple),
    st.integers(1, 9),
)
CLAUSES = st.builds(
    Clause,
    st.sampled_from("abcdefgh"),
    WORD,
    WORD,
    st.sampled_from([None, "root", "user"]),
    parent=st.sampled_from([None, "a", "b"]),
    level=st.integers(1, 2),
    tags=st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple),
    commentary=WORD,
    references=st.lists(st.sampled_from(["a", "b"]), max_size=1).map(tuple),
    examples=st.lists(EXAMPLES, max_size=3).map(tuple),
    line=st.integers(1, 9),
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """A small spec; two of them have ids in common."""
    clauses = draw(st.lists(CLAUSES, unique_by=lambda clause: clause.id, max_size=6))
    return Spec("s", None, "sha256:0", draw(LADDERS), {clause.id: clause for clause in clauses})


def unplaced(clause: Clause) -> Clause:
    """A clause without the lines it and its examples stand on."""
    return replace(clause, line=0, examples=tuple(replace(example, line=0) for example in clause.examples))


@given(specs())
def test_a_spec_does_not_differ_from_itself(spec: Spec) -> None:
    """The diff of a spec with itself is empty."""
    found = diff(spec, spec)
    assert found.empty
    assert found.unchanged == len(spec.clauses)
    assert not found.renames
    assert list(in_document_order(found)) == []


def mirrored(change: ClauseChange) -> tuple[object, ...]:
    """What a change comes to when it is read backwards, in a form that does not depend on order."""
    examples = change.examples
    pairs = {repr((one.new, one.old)) for one in examples.changed}
    return change.new, change.old, change.aspects, examples.removed, examples.added, pairs


def plain(change: ClauseChange) -> tuple[object, ...]:
    """A change in the same form, read forwards."""
    examples = change.examples
    pairs = {repr((one.old, one.new)) for one in examples.changed}
    return change.old, change.new, change.aspects, examples.added, examples.removed, pairs


@given(specs(), specs())
def test_a_diff_read_backwards_is_the_diff_back(old: Spec, new: Spec) -> None:
    """What came one way went the other way, and every pair of values, example and rename is the same turned round."""
    there, back = diff(old, new), diff(new, old)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert {change.id: mirrored(change) for change in there.changed} == {one.id: plain(one) for one in back.changed}
    turned = {(rename.new, rename.old, rename.similarity) for rename in there.renames}
    assert turned == {(rename.old, rename.new, rename.similarity) for rename in back.renames}
    assert there.reordered == back.reordered
    assert (there.ladder is None) == (back.ladder is None)


def applied(found: SpecDiff) -> dict[str, Clause]:
    """The old clauses, with what the diff says of them and nothing else taken from it."""
    clauses = {id_: clause for id_, clause in found.old.clauses.items() if clause not in found.removed}
    for change in found.changed:
        values = {aspect.value: getattr(change.new, aspect.value) for aspect in change.aspects}
        clauses[change.id] = replace(clauses[change.id], **values)
    return {**clauses, **{clause.id: clause for clause in found.added}}


@given(specs(), specs())
def test_what_a_diff_says_explains_every_difference(old: Spec, new: Spec) -> None:
    """The old clauses with everything applied that the diff says are the new clauses."""
    found = diff(old, new)
    result = {id_: unplaced(clause) for id_, clause in applied(found).items()}
    assert result == {id_: unplaced(clause) for id_, clause in new.clauses.items()}
    kept = [id_ for id_ in old.clauses if id_ in new.clauses]
    assert found.reordered == (kept != [id_ for id_ in new.clauses if id_ in old.clauses])
    assert (found.ladder.new if found.ladder else old.ladder) == new.ladder
    entries = [entry.id for entry in in_document_order(found)]
    assert len(entries) == len(found.added) + len(found.removed) + len(found.changed)


@given(specs(), specs())
def test_examples_of_a_change_account_for_every_example(old: Spec, new: Spec) -> None:
    """Every example that is not the same on both sides is in exactly one of added, removed and changed."""
    for change in diff(old, new).changed:
        examples = change.examples
        went = len(change.old.examples) - len(examples.removed)
        came = len(change.new.examples) - len(examples.added)
        assert went == came
        assert all(replace(one.old, line=0) != replace(one.new, line=0) for one in examples.changed)
