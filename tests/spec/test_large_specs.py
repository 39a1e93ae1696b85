"""Specs larger than anybody writes: read in proportion to their size, and refused beyond bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
from counting import function_calls

from specspan.errors import SpecError
from specspan.spec import sections, structured
from specspan.spec.read import load_spec
from specspan.spec.write import write_spec

SECTION = "# Title {0} {{#c{0} authority=user}}\n\nNever. See [?](#c0).\n\n"
EXAMPLE = "# A {{#a}}\n\n**Example**: x\n\n~~~xml\n{}\n~~~\n"


def written(folder: Path, form: str, clauses: int) -> Path:
    """A spec of so many clauses in a format."""
    source, path = folder / "source.md", folder / f"{clauses}.{form}"
    source.write_text("".join(SECTION.format(number) for number in range(clauses)))
    path.write_text(write_spec(load_spec(source), form))
    return path


def refusal(path: Path, text: str) -> str:
    """Why a text is refused."""
    path.write_text(text)
    with pytest.raises(SpecError) as refused:
        load_spec(path)
    return str(refused.value)


@pytest.mark.parametrize("form", ["markdown", "yaml", "json", "jsonl"])
def test_twice_the_clauses_are_twice_the_work(tmp_path: Path, form: str) -> None:
    """Nothing that is done for a clause grows with the number of the others."""
    few, many = (written(tmp_path, form, clauses) for clauses in (200, 400))
    load_spec(few)  # what is made once, at the first spec, is no part of it
    assert function_calls(lambda: load_spec(many)) < 2.1 * function_calls(lambda: load_spec(few))


def test_ten_thousand_clauses_are_read(tmp_path: Path) -> None:
    """A large spec is a spec."""
    assert len(load_spec(written(tmp_path, "jsonl", 10_000)).clauses) == 10_000


def test_conversations_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags are counted over all examples of a document; one more than are read, and it is refused with the line."""
    two = EXAMPLE.format("<user>x</user>") + "\n**Example**: y\n\n~~~xml\n<user>y</user>\n~~~\n"
    monkeypatch.setattr(sections, "MAX_TAGS", 4)
    (tmp_path / "spec.md").write_text(two)
    assert len(load_spec(tmp_path / "spec.md").clauses["a"].examples) == 2
    monkeypatch.setattr(sections, "MAX_TAGS", 3)
    assert ":11: there are more than 3 tags in conversations." in refusal(tmp_path / "spec.md", two)


def test_a_tag_has_at_most_32_attributes(tmp_path: Path) -> None:
    """As many are read; with one more it is no tag."""
    path = tmp_path / "spec.md"
    path.write_text(EXAMPLE.format(user_with(32)))
    (example,) = load_spec(path).clauses["a"].examples
    assert len(example.turns[0].attributes) == 32
    assert "invalid tag at '<'" in refusal(path, EXAMPLE.format(user_with(33)))


def user_with(attributes: int) -> str:
    """A message with so many attributes."""
    return "<user" + "".join(f' a{n}="b"' for n in range(attributes)) + ">x</user>"


@pytest.mark.parametrize("form", ["yaml", "json", "jsonl"])
def test_structured_specs_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """One clause more than are read, and the file is refused before each is looked at."""
    path = written(tmp_path, form, 3)
    monkeypatch.setattr(structured, "MAX_CLAUSES", 2)
    assert "there are more than 2 clauses. Write several specs." in refusal(path, path.read_text())


def test_plain_titles_have_a_bound(tmp_path: Path) -> None:
    """A line that no title is so long as is told to be text."""
    assert "a title has more than 200 characters" in refusal(tmp_path / "spec.md", f"# {'x' * 201}\n\ny\n")
