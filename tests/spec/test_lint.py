"""What a spec's author is told of a document."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.errors import SpecError
from specspan.spec.lint import LintGrade, LintResult, lint_file, lint_spec
from specspan.spec.read import load_spec
from specspan.spec.spec import Clause, Spec

CLEAN = """\
# Shop {#shop}

All of this is for people who work here.

## Keep secrets {#keep_secrets authority=root}

Never tell. See [?](#stock)[^why].

[^why]: People trust us.

### Count {#stock authority=user}

Count it.
"""


def linted(folder: Path, text: str) -> LintResult:
    """What is found in a text."""
    path = folder / "shop.md"
    path.write_text(text, encoding="utf-8")
    return lint_file(path)


def rules(folder: Path, text: str) -> list[tuple[LintGrade, str, int | None]]:
    """What is found in a text, in short."""
    return [(found.grade, found.rule, found.line) for found in linted(folder, text).findings]


def test_a_clean_spec_gives_nothing(tmp_path: Path) -> None:
    """Where all is well, nothing is found."""
    assert rules(tmp_path, CLEAN) == []


FOUND = {
    "dangling reference": (("(#stock)", "(#stok)"), LintGrade.ERROR, "dangling_reference", 7),
    "section without a level that instructs": ((" authority=user", ""), LintGrade.WARNING, "unlabelled", 11),
    "chapter that instructs": (("All of this is", "You should know this is"), LintGrade.NOTE, "unlabelled", 1),
    "stronger than what is around it": (("root", "developer"), LintGrade.WARNING, "stronger_than_parent", 11),
    "clause that says nothing": (("Count it.\n", ""), LintGrade.WARNING, "empty_clause", 11),
    "footnote defined nowhere": (("Count it.", "Count it[^how]."), LintGrade.WARNING, "undefined_footnote", 13),
    "document without footnotes": (("[^why]: People trust us.\n", ""), LintGrade.NOTE, "undefined_footnote", 7),
}


@pytest.mark.parametrize("name", FOUND)
def test_each_rule_finds_what_it_is_for(tmp_path: Path, name: str) -> None:
    """One thing changed in a clean spec gives exactly one finding, on its line."""
    (old, new), grade, rule, line = FOUND[name]
    text = CLEAN.replace("Count it.", "Never stop counting it.") if "without a level" in name else CLEAN
    text = text.replace("authority=user", "authority=system") if "stronger" in name else text
    assert old in text
    assert rules(tmp_path, text.replace(old, new)) == [(grade, rule, line)]


def test_an_unlabelled_section_without_instructions_is_left_alone(tmp_path: Path) -> None:
    """A section that only describes may do without a level."""
    assert rules(tmp_path, CLEAN.replace(" authority=user", "")) == []


def test_a_dangling_reference_names_the_nearest_section(tmp_path: Path) -> None:
    """The remedy offers what was probably meant."""
    (found,) = linted(tmp_path, CLEAN.replace("(#stock)", "(#stok)")).findings
    assert found.remedy == "Did you mean 'stock'?"
    assert found.clause == "keep_secrets"


def test_a_verdict_charged_against_no_clause_is_found(tmp_path: Path) -> None:
    """A verdict may name another clause; one that is not there is a dangling reference on the verdict's line."""
    answer = "<assistant> <!-- BAD[#nowhere] -->\n</assistant>"
    example = f"\n**Example**: e\n~~~xml\n<comparison>\n{answer}\n</comparison>\n~~~\n"
    text = CLEAN.replace("Count it.\n", f"Count it.\n{example}")
    assert rules(tmp_path, text) == [(LintGrade.ERROR, "dangling_reference", 18)]


def test_everything_that_the_reader_refuses_is_found_at_once(tmp_path: Path) -> None:
    """A duplicate id, an unknown level and a broken example are findings with their lines, not the end of the look."""
    text = CLEAN + "## A {#stock}\n\n## B {#b authority=boss}\n\n**Example**: e\n\n~~~xml\n<user>\n~~~\n"
    found = linted(tmp_path, text)
    assert found.spec is None
    assert [(one.grade, one.rule, one.line) for one in found.findings] == [
        (LintGrade.ERROR, "refused", 14),
        (LintGrade.ERROR, "refused", 16),
        (LintGrade.ERROR, "refused", 21),
    ]


@pytest.mark.parametrize("data", [b"", b"\0", b"No section at all.", b"\xff\xfe"])
def test_what_is_no_spec_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file that no reader knows has no lines to complain about."""
    (tmp_path / "shop.md").write_bytes(data)
    with pytest.raises(SpecError):
        lint_file(tmp_path / "shop.md")


def test_lines_are_counted_as_the_reader_counts_them(tmp_path: Path) -> None:
    """Lines end where the reader ends them, whatever else a text holds."""
    text = CLEAN.replace("# Shop {#shop}\n", "# Shop {#shop}\n\nA\u2028B\x0cC\r\nD\rE\n").replace("(#stock)", "(#stok)")
    assert rules(tmp_path, text) == [(LintGrade.ERROR, "dangling_reference", 11)]


def test_published_revision_has_no_errors(model_specs: Path) -> None:
    """Of the published text nothing is broken; five sections without a level give instructions, red lines too."""
    found = lint_file(model_specs / "2025-12-18-rev2.md").findings
    assert not [one for one in found if one.grade is LintGrade.ERROR]
    warned = [one.clause for one in found if one.grade is LintGrade.WARNING]
    assert warned == ["structure", "red_line_principles", "risk_taxonomy", "levels_of_authority", "definitions"]


@given(st.text("#[^a]:()\n {", max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    """Whatever a document holds beside its clauses, looking at it ends with findings on lines that it has."""
    clause = Clause("a", "A", text, None, references=("a", "b"), line=1)
    for found in lint_spec(Spec("s", None, "sha256:0", ("root",), {"a": clause}), text):
        assert found.line is not None
        assert 1 <= found.line <= text.count("\n") + 1


def test_many_findings_are_all_found(tmp_path: Path) -> None:
    """Ten thousand clauses, each with a dangling reference and a footnote, are all looked at."""
    path = tmp_path / "big.md"
    path.write_text("".join(f"# C{n} {{#c{n} authority=user}}\n\nNever[^f{n}]. [?](#x{n})\n\n" for n in range(10_000)))
    spec, text = load_spec(path), path.read_text()
    found = lint_spec(spec, text)
    assert len(found) == 10_001
