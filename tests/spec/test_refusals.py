"""What a broken spec is refused for: each problem with its line and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.errors import SpecError
from specspan.spec.read import load_spec

EXAMPLE = "# A {{#a authority=user}}\n\n**Example**: e\n\n~~~xml\n{0}\n~~~\n"
"""Its conversation begins on line 6."""

BROKEN = {
    "unknown authority": ("# A {#a authority=boss}", 1, "unknown authority 'boss' of 'a'", "ladder"),
    "misspelt authority": ("# A {#a authority=rooot}", 1, "root, system, developer", "'root'"),
    "empty authority": ('# A {#a authority=""}', 1, "unknown authority ''", "ladder"),
    "authority of another ladder": ("# A {#a authority=root}\n# B {#b authority=platform}", 2, "'platform' of 'b'", ""),
    "undeclared level": ("---\nladder: [boss]\n---\n# A {#a authority=user}", 4, "the levels are boss", "ladder"),
    "duplicate id": ("# A {#a}\n\n## B {#a}", 3, "duplicate id 'a', first on line 1", "another id"),
    "no id": ("# A {#a}\n## Say it once", 2, "'Say it once' has no id", "{#say_it_once}"),
    "id without letters": ("# A {#a}\n## …", 2, "has no id", "{#its_id}"),
    "bad id": ("# A {#a}\n# B {#b/c}", 2, "invalid id '#b/c'", "letters"),
    "two ids": ("# A {#a #b}", 1, "id twice", "Keep one"),
    "two authorities": ("# A {#a authority=root authority=user}", 1, "authority twice", "Keep one"),
    "misspelt attribute": ("# A {#a autority=root}", 1, "unknown attribute 'autority'", "'authority'"),
    "unknown attribute": ("# A {#a colour=red}", 1, "unknown attribute 'colour'", "authority, tags"),
    "no attribute": ("# A {#a root}", 1, "invalid attribute 'root'", "authority=level"),
    "text behind attributes": ("# A {#a} B", 1, "do not end the line", "End the heading"),
    "open attributes": ("# A {#a authority=root", 1, "do not end the line", "End the heading"),
    "only a heading in a fence": ("```\n# A {#a}\n```", None, "no section", "heading"),
    "open fence": ("# A {#a}\n\n```python\n# B {#b}\n", 3, "'```' is not closed", "'```'"),
    "fence closed by a shorter one": ("# A {#a}\n~~~~\n~~~\n", 2, "'~~~~' is not closed", "'~~~~'"),
    "example that runs into the next": (
        EXAMPLE.format("<user>\n</user>").replace("\n~~~\n", "\n") + EXAMPLE.format("").replace("#a", "#b"),
        5,
        "before the next one opens on line 12",
        "Close it",
    ),
    "open comment": ("# A {#a}\n<!-- note\n# B {#b}", 2, "'<!--' is not closed", "'-->'"),
    "example without conversation": ("# A {#a}\n\n**Example**: e\n\nText.", 3, "no conversation", "~~~xml"),
    "example at the end": ("# A {#a}\n**Example**: e", 2, "no conversation", "~~~xml"),
    "open message": (EXAMPLE.format("<user>\nhi"), 6, "<user> is not closed", "</user>"),
    "message that runs into the next": (
        EXAMPLE.format("<user>\nhi\n<assistant>\nhello\n</assistant>\n<user>\n</user>"),
        6,
        "<user> is not closed",
        "'&lt;'",
    ),
    "open comparison": (
        EXAMPLE.format("<comparison>\n<assistant>\n</assistant>"),
        6,
        "<comparison> is not",
        "</compar",
    ),
    "closing tag alone": (
        EXAMPLE.format("<user>\n</user>\n</comparison>"),
        8,
        "</comparison> closes nothing",
        "Remove",
    ),
    "nested comparison": (EXAMPLE.format("<comparison>\n<comparison>"), 7, "<comparison> stands between", "Close"),
    "text in a comparison": (EXAMPLE.format("<comparison>\nso\n<assistant>"), 8, "text stands between", "Close"),
    "open inner element": (EXAMPLE.format("<user>\nlog:\n<untrusted>\n</user>"), 8, "<untrusted> is not", "</untr"),
    "unquoted attribute": (EXAMPLE.format("<tool name=x>\n</tool>"), 6, "invalid tag at '<'", "&lt;"),
    "open comment in an example": (EXAMPLE.format("<!-- note"), 6, "'<!--' is not closed", "'-->'"),
    "misspelt verdict": (
        EXAMPLE.format("<comparison>\n<assistant> <!-- Good -->\n</assistant></comparison>"),
        7,
        "not a verdict",
        "GOOD, BAD or OK",
    ),
    "verdict outside a comparison": (
        EXAMPLE.format("<user></user>\n<assistant> <!-- GOOD -->\n</assistant>"),
        7,
        "outside a <comparison>",
        "Put it in one",
    ),
    "open front matter": ("---\nid: a\n# A {#a}", 1, "front matter is not closed", "'---'"),
    "front matter that is no YAML": ("---\nid: [a\n---\n# A {#a}", 3, "is not YAML", "'key: value'"),
    "front matter without keys": ("---\njust text\n---\n# A {#a}", 1, "no keys", "empty line"),
    "misspelt key": ("---\nid: a\nverison: 1\n---\n# A {#a}", 3, "unknown key 'verison'", "'version'"),
    "unknown key": ("---\nverzion: 1\n---\n# A {#a}", 2, "unknown key 'verzion'", "'version'"),
    "duplicate key": ("---\nid: a\nid: b\n---\n# A {#a}", 3, "duplicate key 'id'", "Keep one"),
    "two ids declared": ("---\nid: [a, b]\n---\n# A {#a}", 2, "more than one value", "Give one"),
    "id with a space": ("---\nid: a b\n---\n# A {#a}", 2, "cannot be used", "letters"),
    "level twice": ("---\nladder: [a, b, a]\n---\n# A {#a}", 2, "level twice", "once"),
    "empty ladder": ("---\nladder: []\n---\n# A {#a}", 2, "cannot be used", "letters"),
    "nested value": ("---\nladder: [{a: b}]\n---\n# A {#a}", 2, "cannot be used", "letters"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_problem_is_named_with_line_and_remedy(tmp_path: Path, name: str) -> None:
    """A broken spec is refused for exactly the thing that is broken."""
    text, line, says, remedy = BROKEN[name]
    path = tmp_path / "spec.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    (problem,) = caught.value.problems
    assert says in problem.message
    assert remedy in problem.remedy
    assert problem.line == line


def test_every_problem_is_named_in_the_order_of_the_lines(tmp_path: Path) -> None:
    """All that is wrong is named at once, so that it can be mended at once."""
    path = tmp_path / "spec.md"
    path.write_text("# A {#a authority=boss}\n# B {#b tag=x}\n# C\n# D {#a}\n```\n")
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3, 4, 5]
    assert str(caught.value).splitlines()[1] == f"{path}:2: unknown attribute 'tag'. Did you mean 'tags'?"


def test_reading_stops_at_a_hundred_problems(tmp_path: Path) -> None:
    """A document with thousands of problems is not read on for, and the last line says so."""
    path = tmp_path / "spec.md"
    path.write_text("# A {#a}\n" + "# B\n" * 5000)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert len(caught.value.problems) == 101
    assert "stopped at 100 problems" in caught.value.problems[-1].message
