"""What holds of the repository as a whole: its distributions, and the files for those who change it."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

import specspan

ROOT = Path(__file__).parents[1]
PROJECTS = [ROOT / "pyproject.toml", *sorted(ROOT.glob("exporters/*/pyproject.toml"))]


def owned_files(project: Path) -> list[str]:
    """The files that a distribution's wheel puts into ``site-packages``."""
    text = project.read_text(encoding="utf-8")
    packages = re.findall(r'"(src/\w+)"', re.findall(r"^packages = (\[.*\])$", text, re.MULTILINE)[0])
    assert packages, f"{project} names no package"
    assert not re.search(r"force-include|shared-data|shared-scripts", text), "more ways to own a file"
    files = (
        Path(folder, name)
        for package in packages
        for folder, _, names in os.walk(project.parent / package, followlinks=True)  # as the build backend does
        for name in names
    )
    return [path.relative_to(project.parent / "src").as_posix() for path in files if "__pycache__" not in path.parts]


def test_no_file_belongs_to_two_distributions() -> None:
    """What one of them is uninstalled takes nothing of another away."""
    owners = Counter(file for project in PROJECTS for file in owned_files(project))
    assert [file for file, count in owners.items() if count > 1] == []
    assert "specspan/__init__.py" in owners
    assert {"specspan_exporter_sqlite/store.py", "specspan/sqlite/store.py"} <= set(owners)


def test_no_command_belongs_to_two_distributions() -> None:
    """Commands of the shell are files, too."""
    sections = (
        re.search(r"^\[project\.scripts\]\n((?:.+\n)*)", project.read_text(encoding="utf-8"), re.MULTILINE)
        for project in PROJECTS
    )
    commands = [
        name for section in sections if section for name in re.findall(r"^([\w-]+) =", section[1], re.MULTILINE)
    ]
    assert len(commands) == len(set(commands))
    assert "specspan" in commands


def test_versions_of_python_agree() -> None:
    """What a distribution says of itself is what tests are run with, by `make test` and `make environments`."""
    run = {path.stem.removeprefix("python") for path in (ROOT / "tests" / "environments").glob("python*.txt")} | {
        "3.11"
    }
    for project in PROJECTS:
        text = project.read_text(encoding="utf-8")
        (oldest,) = re.findall(r'^requires-python = ">=([\d.]+)"', text, re.MULTILINE)
        named = re.findall(r'"Programming Language :: Python :: ([\d.]+)"', text)
        assert named[0] == oldest, project
        assert set(named) <= run, project


def test_every_distribution_has_its_licence_and_one_version() -> None:
    """What depends on another of them asks for exactly its release."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    texts = [project.read_text(encoding="utf-8") for project in PROJECTS]
    (version,) = {found for text in texts for found in re.findall(r'^version = "(.+)"$', text, re.MULTILINE)}
    assert specspan.__version__ == version
    for project, text in zip(PROJECTS, texts, strict=True):
        assert (project.parent / "LICENSE").read_text(encoding="utf-8") == licence
        for requirement in re.findall(r'"(specspan[\w-]*(?:\[\w+\])?==[^"]+)"', text):
            assert requirement.endswith(f"=={version}"), requirement


def test_hooks_before_a_commit_are_checks_of_every_change() -> None:
    """Each is a part of `make check`, with the pinned tools."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("$(BIN)", ".venv/bin")
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    for hook in local["hooks"]:
        command = " ".join(hook["entry"].split()[:2]).removesuffix(" --force-exclude")
        assert command in makefile, hook["id"]


@pytest.mark.parametrize("name", ["CONTRIBUTING.md", "SECURITY.md"])
def test_pages_for_contributors_name_what_there_is(name: str) -> None:
    """Every file and target that they name exists."""
    text = (ROOT / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    paths = re.findall(r"`((?:src|tests|tools|exporters|docs)/[\w./-]+)`", text)
    assert [path for path in (*links, *paths) if "<" not in path and not (ROOT / path).exists()] == []
    assert [target for target in re.findall(r"`make ([\w-]+)", text) if f"\n{target}:" not in makefile] == []
