"""What is released holds what it should, and nothing else."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from tools import dist


def wheel(folder: Path, name: str, *files: str) -> Path:
    path = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.writestr(file, name if file.endswith("LICENSE") else "same")
    return path


def test_a_stray_a_missing_licence_and_a_file_of_two_are_told(tmp_path: Path) -> None:
    """Each by the archive it is in."""
    one = wheel(tmp_path, "one", "one/__init__.py", "one/__pycache__/a.pyc", "one/specspan.db", "one-1/LICENSE")
    two = wheel(tmp_path, "two", "two/__init__.py", "one/__init__.py")
    assert dist.problems([one, two]) == [
        f"{one.name}: one/__pycache__/a.pyc does not belong in it",
        f"{one.name}: one/specspan.db does not belong in it",
        f"{two.name}: it has no LICENSE",
        "one/__init__.py belongs to 2 wheels",
    ]


def test_a_source_distribution_is_read_without_its_folder(tmp_path: Path) -> None:
    """Tests and hidden files are strays in it; the build backend's own copy of what git ignores is not."""
    path = tmp_path / "one-1.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("LICENSE", ".gitignore", ".github/x.yml", "tests/test_one.py", "src/one/testing/__init__.py"):
            archive.addfile(tarfile.TarInfo(f"one-1/{name}"))
    assert dist.problems([path]) == [
        f"{path.name}: .github/x.yml does not belong in it",
        f"{path.name}: tests/test_one.py does not belong in it",
    ]


def test_wheels_that_differ_differ_in_digests(tmp_path: Path) -> None:
    """By content, not by name alone."""
    assert dist.digests(wheel(tmp_path, "one", "LICENSE")) != dist.digests(wheel(tmp_path, "two", "LICENSE"))


def test_the_core_is_built_first_and_every_exporter_with_it() -> None:
    """A folder with a project is a distribution."""
    core, *exporters = dist.projects()
    assert core == dist.ROOT
    assert {"sqlite", "grafana", "prometheus", "alerts"} <= {path.name for path in exporters}
