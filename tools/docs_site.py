"""Builder of the documentation site: ``python tools/docs_site.py`` writes `build/site`, as ``make docs`` does.

The pages are those of the repository, in its folders, so that links hold in both places. Files that pages link to and
that are not pages (programs, policies, notebooks) become pages that show them; `tools/reference_pages.py` generates the
reference. `zensical.toml` has the navigation. A broken link or anchor fails the build.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build" / "pages"
STYLE = "docs/site.css"
GLOBS = ("*.md", "docs/**/*.md", "examples/**/*.md", "exporters/*/*.md")
_LINK = re.compile(r"(?<=\]\()([^)#\s]+)(#[^)\s]*)?(?=\))")
_FILE_LINK = re.compile(r"\[([\w./-]+\.md)\]\(([^)#\s]+)(#[^)\s]*)?\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_PICTURES = (".png", ".svg")
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json"}


def write_pages(folder: Path) -> None:
    """Write every page of the site into an empty folder."""
    shown = set[Path]()
    for page in sorted(page for glob in GLOBS for page in ROOT.glob(glob)):
        text = page.read_text(encoding="utf-8")
        shown |= {file for file in _linked_files(page, text) if file.suffix != ".md"}
        _write(folder, page, _with_site_links(_with_titles(page, text)))
    shutil.copy(ROOT / STYLE, folder / STYLE)
    for file in shown:
        if file.suffix in _PICTURES:
            copy = folder / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, copy)
        else:
            _write(folder, file.with_name(f"{file.name}.md"), _page_of(file))


def pages_without_entry(folder: Path) -> list[str]:
    """Return the pages of `docs/` that the navigation does not name."""
    named = set(re.findall(r'"([\w./-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8")))
    pages = (page.relative_to(folder).as_posix() for page in folder.glob("docs/**/*.md"))
    return sorted(page for page in pages if page not in named and not page.endswith(".py.md"))


def _linked_files(page: Path, text: str) -> Iterator[Path]:
    for path, _ in _LINK.findall(_FENCE.sub("", text)):
        file = (page.parent / path).resolve()
        if "://" not in path and file.is_file():
            yield file


def _with_site_links(text: str) -> str:
    """Return a page's text with links to other files than pages replaced by links to the pages that show them."""

    def target(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        if "://" in path or path.startswith("mailto:"):
            return match[0]
        if path.endswith(_PICTURES):
            return match[0]
        if path.endswith(".md"):
            return re.sub(r"(^|/)README\.md$", r"\1index.md", path) + anchor
        return f"{path.rstrip('/')}/index.md" if path.endswith("/") else f"{path}.md"

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(target, part) for part in parts)


def _with_titles(page: Path, text: str) -> str:
    """Return a page's text with links that are called by their file called by the title of that page."""

    def link(match: re.Match[str]) -> str:
        file = page.parent / match[2]
        title = _TITLE.search(file.read_text(encoding="utf-8")) if file.is_file() else None
        return (
            match[0]
            if title is None or Path(match[1]).name != file.name
            else f"[{title[1]}]({match[2]}{match[3] or ''})"
        )

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _FILE_LINK.sub(link, part) for part in parts)


def _page_of(file: Path) -> str:
    """Return a page that shows a file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        return "\n\n".join(_cells(text)) + "\n"
    name = file.relative_to(ROOT).as_posix()
    return f"# {file.name}\n\n`{name}`\n\n````{_LANGUAGES.get(file.suffix, 'text')}\n{text.rstrip()}\n````\n"


def _cells(notebook: str) -> Iterator[str]:
    for cell in json.loads(notebook)["cells"]:
        text = "".join(cell["source"])
        yield text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```"


def _write(folder: Path, file: Path, text: str) -> None:
    path = folder / file.relative_to(ROOT)
    if path.name == "README.md":
        path = path.with_name("index.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Build the site; return the exit code of the builder, which fails for a broken link."""
    shutil.rmtree(PAGES, ignore_errors=True)
    write_pages(PAGES)
    if missing := pages_without_entry(PAGES):
        print(f"add these to the navigation in zensical.toml: {', '.join(missing)}")
        return 1
    _python("tools/reference_pages.py", str(PAGES / "docs" / "reference")).check_returncode()
    return _python("-m", "zensical", "build", "--clean", "--strict").returncode


def _python(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, check=False)  # noqa: S603 - our own


if __name__ == "__main__":
    sys.exit(main())
