"""Specs in YAML, JSON and JSONL, and what they are refused for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specspan.errors import SpecError
from specspan.spec.read import TextKind, classify_text, load_spec
from specspan.spec.spec import Clause, Spec, Verdict
from specspan.spec.spec_json import spec_to_json

HARBOUR = Path(__file__).with_name("data") / "harbour-2026-03-01.md"
DOCS = Path(__file__).parents[2] / "docs" / "specs.md"
BARE = {"id": "be_kind", "text": "Be kind.", "type": "requirement", "authority_level": "USER", "section": "Style",
        "related_statements": ["honest"]}  # fmt: skip


def load(tmp_path: Path, text: str) -> Spec:
    """A text as a spec; the file's name says nothing."""
    path = tmp_path / "spec"
    path.write_text(text, encoding="utf-8")
    return load_spec(path)


def clauses(*entries: dict[str, object]) -> list[dict[str, object]]:
    return [*entries]


BROKEN = {
    "duplicate id": (clauses({"id": "a"}, {"id": "a"}), 2, "duplicate id 'a', first on line", "another id"),
    "unknown authority": (clauses({"id": "a"}, {"id": "b", "authority": "boss"}), 2, "'boss' of 'b'", "ladder"),
    "unknown parent": (clauses({"id": "aa"}, {"id": "b", "parent": "aaa"}), 2, "unknown parent 'aaa' of 'b'", "'aa'"),
    "circle": (clauses({"id": "a", "parent": "b"}, {"id": "b", "parent": "a"}), 1, "'a' in 'b' in 'a'", "no parent"),
    "itself": (clauses({"id": "a", "parent": "a"}), 1, "in one another: 'a' in 'a'", "no parent"),
    "above its parent": (clauses({"id": "a", "level": 2}, {"id": "b", "parent": "a", "level": 2}), 2, "level", "deep"),
    "unknown key": (clauses({"id": "a", "autority": "root"}), 1, "unknown key 'autority'", "'authority'"),
    "no id": (clauses({"title": "A"}), 1, "'id' is missing", "Add"),
    "bad id": (clauses({"id": "a b"}), 1, "invalid id 'a b'", "letters"),
    "bad verdict": (
        clauses({"id": "a", "examples": [{"title": "e", "comparisons": [{"answers": [{"verdict": {"label": "Good"},
        "turns": []}]}]}]}), 1, "not one of GOOD, BAD, OK", "'GOOD'",
    ),
    "no text": (clauses({"id": "a", "text": 7}), 1, "7 is not text", "quotes"),
}  # fmt: skip


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_structured_spec_is_refused_with_line_and_remedy(tmp_path: Path, name: str, form: str) -> None:
    """What is broken in YAML or JSON is named with its line and the way out."""
    entries, line, says, remedy = BROKEN[name]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    text = f'{{"v": 1, "clauses": [\n{lines}\n]}}' if form == "json" else f"v: 1\nclauses: [\n{lines}\n]"
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    (problem,) = caught.value.problems
    assert says in problem.message
    assert remedy in problem.remedy
    assert problem.line == line + (1 if form == "json" else 2)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('{"v": 1, "clauses": []}', None, "not a list of clauses"),
        ('{\n"clauses": [\n{"id": "a"\n', 4, "',' is missing"),
        ('{\n"clauses": [{"id": "a", "id": "b"}]}', 2, "a second time"),
        ('{\n"clauses": [{"id": "\\ud800"}]}', 2, "surrogate"),
        ('{\n"clauses": ' + "[" * 100, 2, "nested deeper"),
        ('{\n"clauses": 01}', 2, "',' is missing"),
        ('{\n"clauses": [{"id": "a"}]} x', 2, "behind the value"),
        ("clauses:\n  - id: a\n   - b", 3, "did not find expected"),
        ("clauses: &a [*a]", 1, "stands for nothing"),
        ("clauses:\n- !!python/object:os.system {id: a}", 2, "tag has no meaning"),
        ("ladder: []\nclauses: [{id: a}]", 1, "is refused"),
        ('{"id": "a", "text": "t"}\n{"id": "b"}', 1, "'authority_level' is missing"),
        ('{"id": "a", "text": "t", "authority_level": "USER"}\n{"id": ', 2, "no JSON value"),
        ('{"type": "spec"}\n', None, "no clause"),
    ],
)
def test_file_that_is_not_whole_is_refused_where_it_breaks(
    tmp_path: Path, text: str, line: int | None, says: str
) -> None:
    """Syntax that breaks off, values that repeat and texts that no file can hold are named with their line."""
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    assert says in caught.value.problems[0].message
    assert caught.value.problems[0].line == line


def test_what_show_prints_is_a_spec(tmp_path: Path) -> None:
    """The JSON that `spec show --json` prints reads back as the same clauses."""
    spec = load_spec(HARBOUR)
    back = load(tmp_path, json.dumps(spec_to_json(spec)))
    assert (back.id, back.version, back.ladder, [*back.clauses]) == (
        spec.id,
        spec.version,
        spec.ladder,
        [*spec.clauses],
    )
    assert back.clauses["keep_secrets"].examples[0].comparisons == spec.clauses["keep_secrets"].examples[0].comparisons


def test_documented_yaml_is_read_as_documented(tmp_path: Path) -> None:
    """The YAML that the documentation shows is the spec that it shows in Markdown."""
    spec = load(tmp_path, DOCS.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("\n```\n")[0])
    assert (spec.id, spec.version, spec.ladder) == ("acme-support", "2026-03-01", ("owner", "product", "customer"))
    clause = spec.clauses["refund_reason"]
    assert (clause.authority, clause.parent, clause.level, clause.line) == ("owner", "money", 2, 7)
    assert clause.text.endswith("See [?](#money).")
    assert clause.examples[0].comparisons[0].answers[0].verdict == Verdict("GOOD", "asks")


def test_bare_lines_are_read_as_published(tmp_path: Path) -> None:
    """Six keys a line are enough: levels in capitals, sections by title, keys of the publisher's own passed over."""
    lines = [BARE, {**BARE, "id": "honest", "section": "be_kind", "metadata": {}}, {**BARE, "id": "style"}]
    spec = load(tmp_path, "\n".join(map(json.dumps, lines)))
    assert spec.clauses["be_kind"] == Clause(
        "be_kind", "Be kind", "Be kind.", "user", "style_2", 2, references=("honest",), line=1
    )
    assert spec.clauses["honest"].parent == "be_kind"
    assert (spec.clauses["style_2"].title, spec.clauses["style_2"].authority) == ("Style", None)
    assert spec.clauses["style"].parent == "style_2"


def test_a_line_without_a_level_is_no_clause_by_mistake(tmp_path: Path) -> None:
    """A misspelt level is refused: what binds somebody must not come to bind nobody."""
    with pytest.raises(SpecError, match="unknown authority 'uzer'"):
        load(tmp_path, json.dumps({**BARE, "authority_level": "UZER"}))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("---\nid: a\n---\n# A {#a}\n\nclauses: none", TextKind.PROSE),
        ("---\nid: a\nclauses: []\n", TextKind.YAML),
        ("# a spec\n\nid: a\nclauses:\n- id: b", TextKind.YAML),
        ("id: a\n\n# A {#a}", TextKind.PROSE),
        ('{"id": "a"}\n{"id": "b"}', TextKind.JSONL),
        ('{"clauses": []}', TextKind.JSON),
        ('\n{\n"clauses": []}', TextKind.JSON),
        ("{#a}", TextKind.PROSE),
        ("", TextKind.PROSE),
    ],
)
def test_kind_is_told_from_the_content(text: str, kind: TextKind) -> None:
    """Front matter is no YAML spec, and one object a line is no JSON."""
    assert classify_text(text) is kind
