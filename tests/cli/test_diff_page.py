"""The page of a diff: whole, safe, and complete by itself."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from specspan.cli.diff_page import diff_page
from specspan.policy.impact import assess_impact, load_with_either
from specspan.spec.diff import SpecDiff, diff
from specspan.spec.read import load_spec

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
    """What a browser would meet in a page."""

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
