"""Pages of the project: each can be reached, links and anchors lead somewhere, and their programs can be compiled."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from documents import ROOT, blocks

PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for glob in ("*.md", "docs/**/*.md", "examples/**/*.md", "exporters/*/*.md")
    for page in ROOT.glob(glob)
)
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)


def read(page: str) -> str:
    """The text of a page, without its fenced blocks."""
    return _FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))


def links(page: str) -> Iterator[tuple[str, str]]:
    """The links of a page within the project: the file, by its path from the root, and the anchor."""
    for target in _LINK.findall(_CODE.sub("", read(page))):
        if re.match(r"[a-z]+:", target) is None:
            path, _, anchor = target.partition("#")
            folder = (ROOT / page).parent
            found = (folder / path).resolve() if path else ROOT / page
            yield found.relative_to(ROOT).as_posix(), anchor


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors of a page's headings, as hosts of repositories and the site make them."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in _HEADING.findall(read(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every link within the project names a file that is there, and a heading of it."""
    found = list(links(page))
    assert [path for path, _ in found if not (ROOT / path).exists()] == []
    pages = [(path, anchor) for path, anchor in found if anchor and path.endswith(".md")]
    assert [f"{path}#{anchor}" for path, anchor in pages if anchor not in anchors(path)] == []


def test_every_page_can_be_reached() -> None:
    """From the index of the documentation, a link after another leads to each page."""
    reached, waiting = set[str](), ["docs/README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or not page.endswith(".md") or not (ROOT / page).is_file():
            continue
        reached.add(page)
        waiting += [path for path, _ in links(page)]
    specs = {page for page in PAGES if page.endswith("/rules.md")}  # of examples
    assert set(PAGES) - reached - specs == set()


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/") and page != "docs/seams.md"])
def test_programs_of_a_page_can_be_compiled(page: str) -> None:
    """Tests of each page run what can be run; no page shows what is not Python."""
    for block in blocks(page):
        if block.language == "python" and not block.text.startswith("!"):
            ast.parse(block.text, f"{page}:{block.line}")
