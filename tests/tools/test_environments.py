"""The environments of `make environments`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "environments.py"
OLDEST = "# Old ones.\n# runs: tests/a.py -k 'not b'\n# runs: tests/c.py\nsome_client==1.0\n"
INTERPRETER = '#!/bin/sh\necho "$@" >> asked\n'


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One with a single environment, and the tool."""
    for name, text in {
        "tools/environments.py": TOOL.read_text(encoding="utf-8"),
        "tests/environments/oldest.txt": OLDEST,
        "constraints.txt": "other==2\nSome.Client==3\n",
        "pyproject.toml": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def environments(repository: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(repository / "tools" / "environments.py"), *names]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said(repository: Path, attribute: str) -> str:
    """What the tool thinks of the environment."""
    code = (
        f"import environments, pathlib; print(environments.Environment(pathlib.Path(), 'oldest').{attribute}, end='')"
    )
    return subprocess.check_output([sys.executable, "-c", code], cwd=repository, env={"PYTHONPATH": "tools"}, text=True)


def made(repository: Path, interpreter: str = INTERPRETER) -> None:
    """Leave ``oldest`` as it is left once everything is installed, with an interpreter that notes what it is asked."""
    python = repository / ".venv-oldest" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(interpreter, encoding="utf-8")
    python.chmod(0o755)
    (repository / ".venv-oldest" / ".made").write_text(said(repository, "key"), encoding="utf-8")


def test_an_environment_runs_what_its_file_says(repository: Path) -> None:
    """One that is as it should be is not made again, and runs the tests of all its lines."""
    made(repository)

    assert environments(repository).returncode == 0
    assert (repository / "asked").read_text() == "-m pytest -n auto --thorough tests/a.py -k not b tests/c.py\n"


def test_tests_that_fail_are_told(repository: Path) -> None:
    """The command fails, and names the environment."""
    made(repository, "#!/bin/sh\nexit 1\n")
    found = environments(repository, "oldest")

    assert found.returncode == 1
    assert "environments that failed: oldest" in found.stdout


@pytest.mark.parametrize(
    ("file", "added", "is_another"),
    [
        ("tests/environments/oldest.txt", "another==1\n", True),
        ("constraints.txt", "another==1\n", True),
        ("pyproject.toml", "[project]\ndependencies = ['another']\n", True),
        ("pyproject.toml", "[project.optional-dependencies]\ncli = ['another']\n", True),
        ("pyproject.toml", "[project.optional-dependencies]\nother = ['another']\n", False),
        ("pyproject.toml", "[project.entry-points.group]\nname = 'a:b'\n", True),
        ("pyproject.toml", "[tool.ruff]\nline-length = 100\n", False),
    ],
)
def test_an_environment_is_what_it_is_made_from(repository: Path, file: str, added: str, *, is_another: bool) -> None:
    """Whatever of that changes, it is another environment; what does not decide what is installed changes nothing."""
    before = said(repository, "key")
    path = repository / file
    path.write_text(path.read_text() + added)

    assert (said(repository, "key") != before) is is_another


def test_an_environment_that_changed_is_made_again(repository: Path) -> None:
    """One that then cannot be made has failed, runs nothing, and is not taken for made later."""
    made(repository)
    (repository / "pyproject.toml").write_text("[build-system]\nrequires = []\nbuild-backend = 'nowhere'\n")

    assert environments(repository).returncode == 1
    assert not (repository / "asked").exists()
    assert not (repository / ".venv-oldest" / ".made").exists()


def test_the_rest_is_as_it_is_pinned(repository: Path) -> None:
    """What the file names a version of, however it is spelled, is not constrained; everything else is."""
    file = repository / "tests" / "environments" / "oldest.txt"
    file.write_text(file.read_text() + "other\n")
    assert said(repository, "constraints").split() == ["other==2"]


def test_without_its_python_an_environment_is_left_out(repository: Path) -> None:
    """It is said, and is no failure: a machine has the versions that it has."""
    file = repository / "tests" / "environments" / "oldest.txt"
    file.write_text(file.read_text() + "# python: 2.1\n")
    found = environments(repository)

    assert found.returncode == 0, found.stderr
    assert "oldest left out: no Python 2.1 found" in found.stdout


def test_a_python_of_another_version_is_found_where_pyenv_keeps_it(repository: Path, tmp_path: Path) -> None:
    """A program that says that it is another version, as pyenv's stand-ins may be, is none."""
    for version, prints in (("9.7.1", "9.6"), ("9.7.2", "9.7")):
        program = tmp_path / "versions" / version / "bin" / "python"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\necho {prints}\n")
        program.chmod(0o755)
    code = "import environments; print(environments.find_python('9.7'), end='')"
    environ = {"PYTHONPATH": "tools", "PYENV_ROOT": str(tmp_path), "PATH": "/bin:/usr/bin"}
    found = subprocess.check_output([sys.executable, "-c", code], cwd=repository, env=environ, text=True)
    assert found == str(tmp_path / "versions" / "9.7.2" / "bin" / "python")


def test_a_name_that_is_none_is_refused(repository: Path) -> None:
    """Those there are, are named."""
    found = environments(repository, "newest")

    assert found.returncode == 1
    assert "unknown environment 'newest': tests/environments has oldest" in found.stderr


def test_one_without_tests_is_refused(repository: Path) -> None:
    """It would prove nothing."""
    (repository / "tests" / "environments" / "idle.txt").write_text("some_client\n")

    assert "idle.txt does not say what it is for" in environments(repository).stderr
