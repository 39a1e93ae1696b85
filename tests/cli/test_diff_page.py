"""HTML page of a diff: well-formed, escaped, and complete by itself."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from specspan.cli.diff_page import diff_page
from specspan.errors import MissingDependency
from specspan.policy.impact import assess_impact, load_with_either
from specspan.policy.policy import Policy
from specspan.spec.diff import SpecDiff, diff
from specspan.spec.read import load_spec
from specspan.spec.spec import Spec

OLD = """\
---
id: shop
ladder: [owner, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner}

Never tell a customer what another customer bought. LONG

## Be polite {#be_polite authority=clerk tags=eu}

Greet everybody who comes in through the door.

## Stock {#stock authority=clerk}

Count it.
""".replace("LONG", "Not now. " * 60)

NEW = (
    OLD.replace("another customer bought", "<img src=x onerror=alert(1)> & \"others\" 'bought'")
    .replace("Keep secrets", "Keep \x1b</title><script>alert(1)</script> secrets")
    .replace("Be polite {#be_polite", "Be courteous {#be_courteous")
    .replace("stock authority=clerk", "stock authority=owner")
)
VOID = ("meta", "input", "wbr")


class Page(HTMLParser):
    """Elements, attributes and texts of a page, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: set[str] = set()
        self.words: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.words.setdefault(self.open[-1], []).append(data)


MARK = "<script>'\"&"
EVERY_ASPECT = """\
---
id: inn
version: "1"
ladder: [owner, clerk]
---
# Inn {#inn}

## Rooms {#rooms authority=owner tags=eu,uk}

Clean every room. See [?](#inn) and [?](#guests).

!!! meta "Commentary"
    Guests notice.

**Example**: a key that was lost

~~~xml
<user>
I lost my key.
</user>
<comparison>
<assistant> <!-- GOOD -->
Here is another.
</assistant>
</comparison>
~~~

**Example**: a towel

~~~xml
<user>
A towel?
</user>
~~~

**Example**: breakfast at noon

~~~xml
<user>
Is it too late to eat?
</user>
~~~

## Guests {#guests authority=clerk}

Greet every guest who comes in through the door of the house.

## Dogs {#dogs authority=clerk}

Dogs sleep outside.
"""
NEWER = (
    EVERY_ASPECT.replace('"1"', '"2"')
    .replace("[owner, clerk]", "[owner, manager, clerk]")
    .replace("## Rooms {#rooms authority=owner tags=eu,uk}", "## Rooms and halls {#rooms authority=clerk tags=us}")
    .replace("Clean every room. See [?](#inn) and [?](#guests)", "Sweep every room. See [?](#cats) and [?](#inn)")
    .replace("Guests notice", "Some guests notice")
    .replace("Here is another", "Here is a new one")
    .replace("**Example**: a towel", "**Example**: a clean towel, please")
    .replace("breakfast at noon", "snow")
    .replace("Is it too late to eat?", "Will my car start tomorrow?")
    .replace("## Guests {#guests", "## Visitors {#visitors")
    .replace("## Dogs {#dogs authority=clerk}", "### Dogs {#dogs authority=clerk}")
    + "\n## Cats {#cats authority=owner}\n\nCats sleep inside.\n"
)


def marked(value: Any, names: tuple[str, ...], *, mark: bool = False) -> Any:
    """Return a copy of a value with `MARK` before each text in the fields of these names, such as ``Clause.title``."""
    if isinstance(value, Policy):
        return replace(value, source=marked(value.source, names, mark="Policy.source" in names))
    if isinstance(value, Spec):
        clauses = [marked(clause, names) for clause in value.clauses.values()]
        value = replace(value, clauses={})
        return replace(_marked_fields(value, names), clauses={clause.id: clause for clause in clauses})
    if is_dataclass(value) and not isinstance(value, type):
        return _marked_fields(value, names)
    if isinstance(value, tuple):
        return tuple(marked(each, names, mark=mark) for each in value)
    if isinstance(value, Mapping):
        return {key: marked(each, names) for key, each in value.items()}
    return f"{MARK} {value}" if mark and isinstance(value, str) and not isinstance(value, Enum) else value


def _marked_fields(value: Any, names: tuple[str, ...]) -> Any:
    kind = type(value).__name__
    return replace(
        value,
        **{
            each.name: marked(getattr(value, each.name), names, mark=f"{kind}.{each.name}" in names)
            for each in fields(value)
        },
    )


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SpecDiff:
    """Two versions of a shop's spec, the newer one by somebody hostile."""
    monkeypatch.chdir(tmp_path)
    Path("old.md").write_text(OLD)
    Path("new.md").write_text(NEW)
    Path("policy.yaml").write_text("spec: old.md\nclauses:\n  be_polite:\n")
    return diff(load_spec("old.md"), load_spec("new.md"))


def test_a_page_is_well_formed_and_stands_alone(found: SpecDiff) -> None:
    """Every element is closed, every link leads to a place in the page, and nothing is fetched."""
    page = Page(diff_page(found, assess_impact(load_with_either("policy.yaml", found), found)))
    assert page.open == []
    assert page.links
    assert {unquote(link.removeprefix("#")) for link in page.links} <= set(page.ids)
    assert not {"src", "onerror", "onclick", "style"} & page.attributes
    assert not {"script", "img", "link", "iframe"} & set(page.tags)


def test_text_of_a_spec_is_text_in_the_page(found: SpecDiff) -> None:
    """Markup in a spec is shown as it is written: in titles, in words that changed, everywhere."""
    text = diff_page(found, None)
    page = Page(text)
    assert "<script" not in text
    assert "\x1b" not in text
    assert any('<img src=x onerror=alert(1)> & "others"' in words for words in page.words["ins"])
    assert page.words["title"] == [f"shop {found.old.digest[:19]} → {found.new.digest[:19]}"]


@pytest.mark.parametrize(
    "names",
    [
        ("Spec.id",),
        ("Spec.version",),
        ("Spec.digest",),
        ("Spec.source",),
        ("Spec.ladder", "Clause.authority"),
        ("Clause.id",),
        ("Clause.title",),
        ("Clause.text",),
        ("Clause.parent",),
        ("Clause.tags",),
        ("Clause.commentary",),
        ("Clause.references",),
        ("Example.title",),
        ("Turn.role",),
        ("Turn.content",),
        ("Verdict.label",),
        ("Policy.source",),
        ("Attention.key",),
        ("Attention.clause",),
        ("Attention.message",),
        ("Attention.remedy",),
    ],
    ids="+".join,
)
def test_every_field_is_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    """Markup in any field that reaches the page is text there, and never an element or an attribute."""
    monkeypatch.chdir(tmp_path)
    Path("old.md").write_text(EVERY_ASPECT)
    Path("new.md").write_text(NEWER)
    Path("policy.yaml").write_text("spec: old.md\nclauses:\n  rooms:\n  guests:\n")
    old, new = load_spec("old.md"), load_spec("new.md")
    clean_diff = diff(old, new)
    affected = assess_impact(load_with_either("policy.yaml", clean_diff), clean_diff)
    assert affected.attention
    assert affected.unbound
    text = diff_page(diff(marked(old, names), marked(new, names)), marked(affected, names))
    page = Page(text)
    assert "<script" not in text
    assert page.open == []
    assert not {"'", '"&', "&"} & page.attributes
    shown = "".join(part for parts in page.words.values() for part in parts) + " ".join(map(unquote, page.links))
    assert MARK in shown


def test_a_missing_template_engine_is_told_with_what_to_run(found: SpecDiff, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without Jinja2 gets the command that installs it."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingDependency, match=r"Run: pip install 'specspan\[cli\]'"):
        diff_page(found, None)


def test_changes_are_marked_word_by_word(found: SpecDiff) -> None:
    """Words that go are deletions, words that come insertions, and a long stretch between is folded away."""
    page = Page(diff_page(found, None))
    assert "another customer" in " ".join(page.words["del"])
    assert any("words the same" in words for words in page.words["span"])
    assert "label" in page.tags


def test_levels_renames_and_policy_are_told(found: SpecDiff) -> None:
    """A change of level, a clause under another id and a broken binding each have their place."""
    text = diff_page(found, assess_impact(load_with_either("policy.yaml", found), found))
    assert '<span class="chip l4">clerk</span> → <span class="chip l0">owner</span>' in text
    assert '<p>Looks like <a class="id" href="#c-be_polite">be_polite</a>: 9' in text
    assert "1 broken, 0 stale" in text
    assert "clauses.be_polite" in text


def test_a_page_of_nothing_says_so() -> None:
    """Two equal versions give a page, too."""
    harbour = load_spec(Path(__file__).parents[1] / "spec" / "data" / "harbour-2026-03-01.md")
    assert "0 clauses differ" in diff_page(diff(harbour, harbour), None)


def test_ids_of_any_letters_are_linked(tmp_path: Path) -> None:
    """Ids with letters of any script and signs lead where they should."""
    for name, body in (("old", "a"), ("new", "b")):
        (tmp_path / f"{name}.md").write_text(f"# A {{#schön.b:c-d}}\n\n{body}\n", encoding="utf-8")
    page = Page(diff_page(diff(load_spec(tmp_path / "old.md"), load_spec(tmp_path / "new.md")), None))
    assert {unquote(link.removeprefix("#")) for link in page.links} <= set(page.ids)
