"""Entry points of other distributions are found, and their files are read only when there are others than before."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from specspan._support.plugins import iter_plugins

GROUP = "specspan_test_plugins"


def distribution(folder: Path, name: str) -> None:
    """Put a distribution into a folder that registers `math.pi` under its name."""
    info = folder / f"{name}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = math:pi\n", encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of the import path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def names() -> list[str]:
    return sorted(name for name, _ in iter_plugins(GROUP))


def test_what_is_installed_while_a_process_runs_is_found(folder: Path) -> None:
    """In a notebook a plug-in may be installed after the first call."""
    assert names() == []
    distribution(folder, "first")
    assert names() == ["first"]
    distribution(folder, "second")
    assert names() == ["first", "second"]


def test_a_group_is_read_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading the files of some hundred distributions takes 10 ms, and `instrument` asks for each client."""
    distribution(folder, "only")
    assert names() == ["only"]
    monkeypatch.setattr(metadata, "entry_points", lambda **_: pytest.fail("read again"))
    assert names() == ["only"]


@pytest.mark.parametrize("entry", ["/nowhere/at all", ""])
def test_any_entry_of_the_path_is_allowed(entry: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The import path may name what is not there, or no folder."""
    distribution(folder, "only")
    monkeypatch.syspath_prepend(entry)
    assert names() == ["only"]
