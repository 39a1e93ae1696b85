"""Generated reference: everything that it is generated from is on it. The site's pages are those of the repository."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import specspan
from documents import ROOT
from specspan.record import conventions
from tools import docs_site, reference_pages


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return reference_pages.pages()


def test_every_public_name_is_listed(pages: dict[str, str]) -> None:
    """Names of all public modules; mkdocstrings writes what they mean."""
    listed = re.findall(r"^::: ([\w.]+)$", pages["api.md"], re.MULTILINE)
    assert {name.rpartition(".")[2] for name in listed} >= set(specspan.__all__) - {"__version__"}
    assert "specspan.web.AsgiMiddleware" in listed


def test_every_command_is_described(pages: dict[str, str]) -> None:
    """Commands of groups and of exporters, with usage and options."""
    headings = re.findall(r"^## (.+)$", pages["commands.md"], re.MULTILINE)
    assert {"specspan run", "specspan policy check", "specspan traces show", "specspan spec diff"} <= set(headings)
    section = pages["commands.md"].split("## specspan traces list\n")[1].split("\n## ")[0]
    assert "specspan traces list [OPTIONS]" in section
    assert "\n| `--db` | " in section
    assert "--help" not in section


def test_every_key_of_a_policy_is_listed(pages: dict[str, str]) -> None:
    """Keys with their types; a type that is a section of the page links there."""
    schema = json.loads(reference_pages.SCHEMA.read_text(encoding="utf-8"))
    page = pages["policy-keys.md"]
    sections = [schema, *schema["$defs"].values()]
    keys = {key for section in sections for key in section.get("properties", ())}
    assert {key for key in keys if f"| `{key}` |" not in page} == set()
    headings = {re.sub(r"[^\w-]", "", heading.lower()) for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= headings


def test_every_recorded_name_is_listed(pages: dict[str, str]) -> None:
    """Names as they are spelt, below the convention they come from."""
    names = {value for name, value in vars(conventions).items() if name.isupper() and isinstance(value, str)}
    dotted = {name for name in names if re.fullmatch(r"\w+(\.\w*)+", name)}
    assert len(dotted) > 80
    assert {name for name in dotted if f"| `{name}` |" not in pages["names.md"]} == set()


def test_the_navigation_names_pages_that_are_there(tmp_path: Path) -> None:
    """Each is a page of the site or a generated one; a page of `docs/` that it leaves out is told by the build."""
    docs_site.write_pages(tmp_path)
    named = set(re.findall(r'"([\w./-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    generated = {f"docs/reference/{name}" for name in reference_pages.pages()}
    staged = {page.relative_to(tmp_path).as_posix() for page in tmp_path.rglob("*.md")}
    assert named <= staged | generated
    (tmp_path / "docs" / "new.md").write_text("# New", encoding="utf-8")
    assert "docs/new.md" in docs_site.pages_without_entry(tmp_path)


def test_links_lead_from_page_to_page(tmp_path: Path) -> None:
    """Programs that pages link to are pages of the site, and a README is the index of its folder."""
    docs_site.write_pages(tmp_path)
    index = (tmp_path / "examples" / "index.md").read_text(encoding="utf-8")
    assert "(own_exporter.py.md)" in index
    assert "(services/index.md)" in index
    assert "```python" in (tmp_path / "examples" / "own_exporter.py.md").read_text(encoding="utf-8")
    assert "specspan.configure" in (tmp_path / "examples" / "notebook.ipynb.md").read_text(encoding="utf-8")
