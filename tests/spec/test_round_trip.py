"""What is written reads back as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from specs import any_line, any_text, said, specs
from thorough import examples

from specspan.errors import SpecError
from specspan.spec.read import load_spec
from specspan.spec.spec import Clause, Spec
from specspan.spec.write import write_spec, writers

HARBOUR = Path(__file__).with_name("data") / "harbour-2026-03-01.md"
ROUND = ("markdown", "yaml", "jsonl", "markdown", "json", "yaml", "markdown")
REVISIONS = ("2025-02-12", "2025-04-11", "2025-09-12", "2025-10-27", "2025-12-18", "2025-12-18-rev2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where specs are written."""
    return tmp_path_factory.mktemp("specs")


def through(folder: Path, spec: Spec, format_: str) -> Spec:
    """The spec, written and read back."""
    path = folder / f"spec.{format_}"
    path.write_text(write_spec(spec, format_), encoding="utf-8", newline="\n")
    return load_spec(path)


def test_every_format_has_a_writer() -> None:
    """Formats are found by registration."""
    assert {*ROUND} <= {*writers()}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.thorough
def test_published_revision_goes_through_every_format(model_specs: Path, tmp_path: Path, revision: str) -> None:
    """A published revision keeps every clause, label, parent, example and verdict from Markdown to Markdown."""
    first = at = load_spec(model_specs / f"{revision}.md")
    for format_ in ROUND:
        at = through(tmp_path, at, format_)
        assert said(at) == said(first)
        assert list(at.clauses) == list(first.clauses)


def test_every_construct_goes_through_every_format(tmp_path: Path) -> None:
    """A spec that has everything the dialect knows keeps all of it."""
    first = at = load_spec(HARBOUR)
    for format_ in ROUND:
        at = through(tmp_path, at, format_)
        assert said(at) == said(first)


@pytest.mark.parametrize("format_", ["yaml", "json", "jsonl"])
@settings(max_examples=examples(15))
@given(spec=specs(any_text, any_line))
def test_any_spec_is_kept_by_the_structured_formats(folder: Path, format_: str, spec: Spec) -> None:
    """YAML, JSON and JSONL hold any text at all: control characters, indentation, words that YAML takes for values."""
    assert said(through(folder, spec, format_)) == said(spec)


@settings(max_examples=examples(20))
@given(spec=specs())
def test_any_spec_of_markdown_prose_is_kept_by_markdown(folder: Path, spec: Spec) -> None:
    """Where texts are Markdown prose, Markdown keeps everything, and finds the references that verdicts make."""
    back = through(folder, spec, "markdown")
    given = {id_: len(clause.references) for id_, clause in spec.clauses.items()}
    kept = {id_: replace(clause, references=clause.references[: given[id_]]) for id_, clause in back.clauses.items()}
    assert said(replace(back, clauses=kept)) == said(spec)


@settings(max_examples=examples(20))
@given(spec=specs(any_text, any_line))
def test_markdown_keeps_a_spec_or_refuses_it(folder: Path, spec: Spec) -> None:
    """What Markdown cannot hold is refused by name, never written as something else."""
    try:
        back = through(folder, spec, "markdown")
    except SpecError:
        return
    assert [*back.clauses] == [*spec.clauses]
    for one, other in zip(said(back)[3].values(), said(spec)[3].values(), strict=True):
        assert (one.text.split(), one.examples, one.tags) == (other.text.split(), other.examples, other.tags)


def test_text_that_would_become_a_section_is_refused() -> None:
    """A heading inside a clause cannot be written as Markdown; the clause and the way out are named."""
    spec = Spec("a", None, "", ("user",), {"a": Clause("a", "A", "Text.\n\n# B {#b}", "user", line=7)}, "a.yaml")
    with pytest.raises(SpecError) as caught:
        write_spec(spec, "markdown")
    assert [problem.line for problem in caught.value.problems] == [None, 7]
    assert "cannot hold 'a'" in str(caught.value)
    assert "YAML" in caught.value.problems[0].remedy


def test_unknown_format_names_the_nearest() -> None:
    """A format that nobody writes is refused with those that are."""
    with pytest.raises(SpecError, match="Did you mean 'yaml'"):
        write_spec(load_spec(HARBOUR), "yml")


def test_written_yaml_is_for_people() -> None:
    """Texts of several lines stand as blocks, and what is empty is left out."""
    text = write_spec(load_spec(HARBOUR), "yaml")
    assert "text: |-" in text
    assert "[]" not in text
    assert "null" not in text
