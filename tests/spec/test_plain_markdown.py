"""A company's policy in plain Markdown, without attributes."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.errors import SpecError
from specspan.spec.read import load_spec
from specspan.spec.spec import Spec
from specspan.spec.spec_json import spec_to_json
from specspan.spec.write import write_spec

POLICY = """\
# Support policy

## Refunds & returns

Ask for a reason, see [tone](#tone).

### Exceptions

None.

## Tone (authority: user)

Be kind.

### Exceptions

On the phone.

```
# no heading
```
"""


def load(tmp_path: Path, text: str) -> Spec:
    """A text as the spec ``support-2026-03-01.md``."""
    path = tmp_path / "support-2026-03-01.md"
    path.write_text(text, encoding="utf-8")
    return load_spec(path)


def test_a_plain_document_just_works(tmp_path: Path) -> None:
    """Without any level named, each section with text binds at the document's one level; groups bind nobody."""
    spec = load(tmp_path, POLICY.replace(" (authority: user)", ""))
    assert (spec.id, spec.version, spec.ladder) == ("support", "2026-03-01", ("policy",))
    assert {id_: clause.authority for id_, clause in spec.clauses.items()} == {
        "support-policy": None,
        "refunds--returns": "policy",
        "refunds--returns-exceptions": "policy",
        "tone": "policy",
        "tone-exceptions": "policy",
    }
    assert spec.clauses["tone-exceptions"].parent == "tone"
    assert spec.clauses["refunds--returns"].references == ("tone",)


def test_levels_come_from_front_matter_and_headings(tmp_path: Path) -> None:
    """Front matter gives the level of every section with text, a heading that of its own."""
    spec = load(tmp_path, f"---\nid: acme\nauthority: developer\n---\n{POLICY}")
    assert spec.clauses["tone"].title == "Tone"
    assert (spec.clauses["tone"].authority, spec.clauses["refunds--returns"].authority) == ("user", "developer")
    assert spec.clauses["tone"].line == 15
    assert spec.ladder[0] == "root"
    only = load(tmp_path, POLICY)
    assert [clause.id for clause in only.binding] == ["tone"]
    own = load(tmp_path, f"---\nladder: [owner, user]\nauthority: owner\n---\n{POLICY}")
    assert own.ladder == ("owner", "user")


def test_ids_stay_when_texts_are_reworded(tmp_path: Path) -> None:
    """What a policy binds to depends on titles and nothing else."""
    before = load(tmp_path, POLICY)
    after = load(tmp_path, POLICY.replace("Be kind.", "Be kind, always.\n\nAnd brief.").replace("None.", "Some."))
    assert [*before.clauses] == [*after.clauses]


def test_a_repeated_title_never_takes_the_id_of_another(tmp_path: Path) -> None:
    """A second section of one title moves both to ids of their own: no binding comes to mean another section."""
    alone = load(tmp_path, "# A\n\n## Limits\n\nTen.\n\n# B\n\nb\n")
    assert "limits" in alone.clauses
    both = load(tmp_path, "# B\n\n## Limits\n\nFive.\n\n# A\n\n## Limits\n\nTen.\n")
    assert {*both.clauses} == {"b", "b-limits", "a", "a-limits"}


def test_titles_of_any_language_make_ids(tmp_path: Path) -> None:
    """Letters of any script stay; punctuation, code marks and links go."""
    spec = load(tmp_path, "# Für `Gäste` ##\n\nx\n\n# [Ethik](https://example.com) 你好!\n\nx\n")
    assert [*spec.clauses] == ["für-gäste", "ethik-你好"]


def test_a_plain_document_is_converted_to_one_with_ids(tmp_path: Path) -> None:
    """Written as Markdown, ids and levels stand behind the titles, and nothing else changes."""
    spec = load(tmp_path, POLICY)
    again = load(tmp_path, write_spec(spec, "markdown"))
    assert [(clause.id, clause.authority, clause.parent) for clause in again.clauses.values()] == [
        (clause.id, clause.authority, clause.parent) for clause in spec.clauses.values()
    ]


@pytest.mark.parametrize(
    ("text", "line", "says", "remedy"),
    [
        ("# A\n\n# B\n", None, "no section binds anybody", "authority: level"),
        ("---\nladder: [a, b]\n---\n# A\n\nText.\n", None, "no section binds anybody", "front matter"),
        ("# A\n\nx\n\n# A\n\ny\n", 5, "duplicate id 'a', first on line 1", "another title"),
        ("# A\n\nx\n\n# …\n\ny\n", 5, "no letter or digit", "title"),
        ("# A\n\nx\n\n# B {.note}\n", 5, "attributes and no id", "{#its_id"),
        ("# A\n\nx\n\nB\n===\n\ny\n", 6, "'B' is underlined", "## Title"),
        ("# A (authority: boss)\n\nx\n", 1, "unknown authority 'boss'", "ladder"),
        ("---\nauthority: [a, b]\n---\n# A\n\nx\n", 2, "more than one value", "one"),
        ("---\nautority: a\n---\n# A\n\nx\n", 2, "unknown key 'autority'", "'authority'"),
    ],
)
def test_what_could_be_misread_is_refused(tmp_path: Path, text: str, line: int | None, says: str, remedy: str) -> None:
    """A heading that would be lost, an id that would be a guess, a level that is none: each with its line."""
    with pytest.raises(SpecError) as caught:
        load(tmp_path, text)
    problem = caught.value.problems[0]
    assert says in problem.message
    assert remedy in problem.remedy
    assert problem.line == line


def test_front_matter_of_a_document_with_ids_has_no_authority(tmp_path: Path) -> None:
    """Where headings carry attributes, a level for all of them is refused, not passed over."""
    with pytest.raises(SpecError, match="unknown key 'authority'"):
        load(tmp_path, "---\nauthority: user\n---\n# A {#a}\n")


FOREIGN = """\
---
title: "Support: the policy"
date: 2026-03-01
name: support
author: [Ada, Grace]
draft: false
tags: [refunds, tone]
menu: {main: {weight: 10}}
1: one
---
# Support policy

Be kind.
"""


def test_front_matter_of_somebody_else_is_kept(tmp_path: Path) -> None:
    """What a site generator wants to know is metadata, as it was written, and changes nothing else."""
    spec = load(tmp_path, FOREIGN)
    assert (spec.id, spec.version, list(spec.clauses)) == ("support", "2026-03-01", ["support-policy"])
    assert spec.metadata == {
        "title": "Support: the policy",
        "date": "2026-03-01",
        "name": "support",
        "author": ["Ada", "Grace"],
        "draft": "false",
        "tags": ["refunds", "tone"],
        "menu": {"main": {"weight": "10"}},
        "1": "one",
    }
    assert spec_to_json(spec)["metadata"] == spec.metadata


@pytest.mark.parametrize("ids", ["", " {#support authority=developer}"])
def test_metadata_goes_through_every_format(tmp_path: Path, ids: str) -> None:
    """With or without ids in its headings, a document keeps what it says of itself."""
    first = at = load(tmp_path, FOREIGN.replace("# Support policy", f"# Support policy{ids}"))
    assert first.metadata
    for format_ in ("markdown", "yaml", "jsonl", "json", "markdown"):
        path = tmp_path / f"again.{format_}"
        path.write_text(write_spec(at, format_), encoding="utf-8")
        at = load_spec(path)
        assert at.metadata == first.metadata


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("autority: developer", "unknown key 'autority'.*Did you mean 'authority'"),
        ("Version: 2", "unknown key 'Version'.*Did you mean 'version'"),
        ("title: a\ntitle: b", "duplicate key 'title'"),
        ("a: &a [x, x]\nb: &b [" + "*a, " * 99 + "]\nc: [" + "*b, " * 99 + "]", "a value of the front matter has more"),
        ("a: &a [*a]", "a value of the front matter has more|undefined alias"),
    ],
)
def test_front_matter_that_means_something_else_is_refused(tmp_path: Path, entry: str, message: str) -> None:
    """A key of ours misspelt, one that stands twice, and a value that grows without end are told."""
    with pytest.raises(SpecError, match=message):
        load(tmp_path, f"---\n{entry}\n---\n# A\n\nText.\n")
