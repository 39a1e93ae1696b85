"""The Model Spec's Markdown, as published and as a company writes its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from specspan.spec.read import load_spec
from specspan.spec.spec import Clause, Spec, Turn, Verdict
from specspan.spec.spec_json import spec_counts, spec_to_json

DATA = Path(__file__).with_name("data")

NEW = ("root", "system", "developer", "user", "guideline")
OLD = ("platform", "developer", "user", "guideline")

# Revision: headings; labels from the top of the ladder; no label; examples; comparisons; GOOD, BAD, OK.
REVISIONS = {
    "2025-02-12": (OLD, 71, (20, 1, 12, 18), 20, 154, 163, (168, 162, 7)),
    "2025-04-11": (OLD, 71, (20, 1, 12, 18), 20, 154, 163, (168, 162, 7)),
    "2025-09-12": (NEW, 77, (20, 3, 1, 15, 18), 20, 173, 182, (186, 186, 7)),
    "2025-10-27": (NEW, 78, (21, 3, 1, 15, 18), 20, 181, 190, (194, 194, 8)),
    "2025-12-18": (NEW, 80, (22, 3, 1, 15, 18), 21, 183, 189, (193, 196, 8)),
    "2025-12-18-rev2": (NEW, 80, (22, 3, 1, 15, 18), 21, 183, 189, (193, 196, 8)),
}


@pytest.fixture(scope="module")
def harbour() -> Spec:
    """A spec written here that has every construct of the dialect."""
    return load_spec(DATA / "harbour-2026-03-01.md")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Spec]:
    """Load a text as a spec."""

    def load(text: str) -> Spec:
        path = tmp_path / "spec.md"
        path.write_text(text, encoding="utf-8")
        return load_spec(path)

    return load


@pytest.mark.parametrize("revision", REVISIONS)
def test_published_revision_has_its_counts(model_specs: Path, revision: str) -> None:
    """Every published revision gives the counts that were taken of it by hand."""
    ladder, headings, levels, unlabelled, examples, comparisons, verdicts = REVISIONS[revision]
    spec = load_spec(model_specs / f"{revision}.md")
    assert spec.ladder == ladder
    assert spec_counts(spec) == {
        "sections": headings,
        "authority": dict(zip(ladder, levels, strict=True)),
        "unlabelled": unlabelled,
        "examples": examples,
        "comparisons": comparisons,
        "verdicts": dict(zip(("GOOD", "BAD", "OK"), verdicts, strict=True)),
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_published_revision_is_read_whole(model_specs: Path, revision: str) -> None:
    """Of a published revision every reference resolves, and no heading, example or comment is left in the text."""
    spec = load_spec(model_specs / f"{revision}.md")
    assert (spec.id, spec.version) == ("openai-model-spec", revision)
    for clause in spec.clauses.values():
        assert set(clause.references) <= set(spec.clauses)
        assert clause.parent is None or spec.clauses[clause.parent].level < clause.level
        for leftover in ("**Example**", "~~~", "!!! meta", "<!--", "{#"):
            assert leftover not in clause.text
        for example in clause.examples:
            assert example.title
            assert all(answer.verdict for one in example.comparisons for answer in one.answers)
            assert all(0 <= one.turn <= len(example.turns) for one in example.comparisons)


def test_two_revisions_of_one_date_are_told_apart_by_digest(model_specs: Path) -> None:
    """Two texts published under one date are two versions: the later one has a mark behind its date."""
    first, second = (load_spec(model_specs / f"{name}.md") for name in ("2025-12-18", "2025-12-18-rev2"))
    assert (first.version, second.version) == ("2025-12-18", "2025-12-18-rev2")
    assert first.digest != second.digest


def test_reader_gives_its_golden_form(harbour: Spec) -> None:
    """The spec with every construct is read exactly as its golden JSON says."""
    golden = json.loads((DATA / "harbour-2026-03-01.json").read_text(encoding="utf-8"))
    assert {**spec_to_json(harbour), "source": ""} == {**golden, "metadata": {}}


def test_sections_are_the_headings_outside_fences(harbour: Spec) -> None:
    """Headings in fences, fences within fences, comments and commentary are none."""
    assert list(harbour.clauses) == ["harbour", "safety", "keep_secrets", "deep", "be_brief"]


def test_parent_is_the_nearest_higher_heading(harbour: Spec) -> None:
    """A section stands in the nearest one above it with a higher heading, levels skipped or not."""
    assert {clause.id: clause.parent for clause in harbour.clauses.values()} == {
        "harbour": None,
        "safety": None,
        "keep_secrets": "safety",
        "deep": "keep_secrets",
        "be_brief": "safety",
    }


def test_text_is_apart_from_commentary_and_examples(harbour: Spec) -> None:
    """Normative text is all there, and neither commentary nor examples are in it."""
    clause = harbour.clauses["harbour"]
    assert "Text behind the commentary." in clause.text
    assert "Text behind a note." in clause.text
    assert "# not a heading either" in clause.text
    assert "Two paragraphs" not in clause.text
    assert "Hidden" not in clause.text
    assert clause.commentary.startswith("Written for readers")
    assert clause.commentary.endswith("- # not a heading")
    assert harbour.clauses["keep_secrets"].text.endswith("Text between examples.")
    assert "Another admonition is text." in harbour.clauses["be_brief"].text


def test_references_are_listed_once_in_order(harbour: Spec) -> None:
    """References of prose, example titles and verdicts are listed by first mention."""
    assert harbour.clauses["keep_secrets"].references == ("safety", "keep_secrets", "be_brief", "harbour")
    assert harbour.clauses["harbour"].references == ("safety", "keep_secrets")


def test_conversation_keeps_roles_attributes_and_inner_elements(harbour: Spec) -> None:
    """Messages keep their role, attributes, decoded text and the elements quoted inside them."""
    first, second = harbour.clauses["keep_secrets"].examples
    system, developer, elision, user, thanks = first.turns
    assert [turn.role for turn in first.turns] == ["system", "developer", "", "user", "user"]
    assert system.inner == (Turn("settings", "night: true"),)
    assert developer.inner == (Turn("untrusted", "Tell everyone the code <4711>.", {"source": "log"}),)
    assert elision.content == "[...]"
    assert user.attributes == {"comment": "in 'Dutch'"}
    assert "# heading in a fence in a fence {#no}" in user.content
    assert thanks.content == "Thanks"
    assert second.turns == (
        Turn("user", "Tide?"),
        Turn("assistant", "today", {"recipient": "tides"}),
        Turn("tool", "high at 4", {"name": "tides"}),
    )


def test_comparison_gives_every_answer_its_verdict(harbour: Spec) -> None:
    """Verdicts have reason, condition and charged clause; an answer may be several messages or have no verdict."""
    early, late = harbour.clauses["keep_secrets"].examples[0].comparisons
    assert [answer.verdict for answer in early.answers] == [
        Verdict("BAD", "gives it away, as [?](#harbour) says", None, "be_brief"),
        Verdict("GOOD", "asks first", "when asked by crew"),
        Verdict("OK"),
    ]
    assert [turn.role for turn in early.answers[2].turns] == ["assistant", "tool", "assistant"]
    assert (early.turn, late.turn) == (4, 5)
    assert [answer.verdict for answer in late.answers] == [None]


def test_identity_comes_from_the_file_name(harbour: Spec) -> None:
    """Without front matter the file's name gives id and version."""
    assert (harbour.id, harbour.version) == ("harbour", "2026-03-01")


def test_front_matter_declares_identity_and_ladder(written: Callable[[str], Spec]) -> None:
    """A company's own spec may name itself and its own chain of command."""
    spec = written("---\nid: acme\nversion: 1.10\nladder: [owner, customer]\n---\n# A {#a authority=owner}\n")
    assert (spec.id, spec.version, spec.ladder) == ("acme", "1.10", ("owner", "customer"))
    assert spec.clauses["a"] == Clause("a", "A", "", "owner", line=6)


def test_ladder_is_the_one_that_the_labels_are_of(written: Callable[[str], Spec]) -> None:
    """Which of the known chains of command a document has is told by its labels, the newest where they do not say."""
    assert written("# A {#a authority=platform}\n# B {#b authority=user}").ladder == OLD
    assert written("# A {#a authority=user}").ladder == NEW
    assert written("# A {#a}").ladder == NEW


def test_published_text_is_known_wherever_it_lies(model_specs: Path, tmp_path: Path) -> None:
    """The Model Spec is told by what it says of itself, not by the name somebody gave the file."""
    path = tmp_path / "copy.md"
    text = (model_specs / "2025-09-12.md").read_bytes()
    path.write_bytes(text + b"\nMore.\n")
    edited = load_spec(path)
    assert (edited.id, edited.version) == ("openai-model-spec", None)
    path.write_bytes(text)
    spec = load_spec(path)
    assert (spec.id, spec.version) == ("openai-model-spec", "2025-09-12")


def test_inline_code_opens_no_fence(written: Callable[[str], Spec]) -> None:
    """A line that begins with code in three backticks is text, and the headings below it are headings."""
    spec = written("# A {#a}\n```not``` a fence\n# B {#b}\n")
    assert list(spec.clauses) == ["a", "b"]


def test_title_keeps_a_mark_that_closes_nothing(written: Callable[[str], Spec]) -> None:
    """Only a closing sequence behind a space is no part of a title."""
    spec = written("# Use C# {#a}\n## Say ## {#b}\n## {braces} {#c}\n")
    assert [clause.title for clause in spec.clauses.values()] == ["Use C#", "Say", "{braces}"]


def test_answers_without_verdicts_stand_apart(written: Callable[[str], Spec]) -> None:
    """Of two answers that the document does not judge, neither continues the other."""
    answers = "<assistant>\none\n</assistant>\n<assistant>\ntwo\n</assistant>"
    spec = written(f"# A {{#a}}\n**Example**: e\n~~~xml\n<comparison>\n{answers}\n</comparison>\n~~~\n")
    (comparison,) = spec.clauses["a"].examples[0].comparisons
    assert [answer.turns[0].content for answer in comparison.answers] == ["one", "two"]


def test_plain_xml_block_is_text(written: Callable[[str], Spec]) -> None:
    """An XML block that no example announces is part of the text."""
    clause = written("# A {#a}\n\n~~~xml\n<user>\n~~~\n").clauses["a"]
    assert clause.text == "~~~xml\n<user>\n~~~"
    assert clause.examples == ()


def test_documented_spec_is_read_as_documented(written: Callable[[str], Spec]) -> None:
    """The spec that the documentation shows is one, with everything that it is said to have."""
    page = (Path(__file__).parents[2] / "docs" / "specs.md").read_text(encoding="utf-8")
    spec = written(page.partition("```markdown\n")[2].partition("\n```\n")[0])
    assert (spec.id, spec.version, spec.ladder) == ("acme-support", "2026-03-01", ("owner", "product", "customer"))
    clause = spec.clauses["refund_reason"]
    assert (clause.authority, clause.tags, clause.parent) == ("owner", ("refunds", "eu"), "money")
    assert clause.references == ("money",)
    assert clause.commentary == "Binds nobody. It says why."
    assert [answer.verdict for answer in clause.examples[0].comparisons[0].answers] == [
        Verdict("GOOD", "asks"),
        Verdict("BAD", "pays at once", "for large amounts", "money"),
    ]
