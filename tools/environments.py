"""Runner of tests that need other packages than `constraints.txt` pins, each in an environment of its own.

    python tools/environments.py [NAME ...]

``tests/environments/NAME.txt`` is a list of pip's requirements. Its packages hold in place of those that
`constraints.txt` names; everything else is as pinned there, and so is a package that it names without a version.
Lines ``# runs: PATH ...`` are the arguments of pytest, a line ``# python: 3.10`` names another version of Python,
without which the environment is left out, and any other comment says why it exists. The folder ``.venv-NAME`` is made
anew when its sources change.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import tomllib

TEST_PACKAGES = ("hypothesis", "pytest", "pytest-asyncio", "pytest-randomly", "pytest-xdist")
"""Packages of every environment, with which the tests are run."""
EXTRAS = ("cli",)
SPECSPAN = ("-e", f".[{','.join(EXTRAS)}]")
PROJECT = "pyproject.toml"
_RUNS = re.compile(r"^#\s*runs:(.*)$", re.MULTILINE)
_PYTHON = re.compile(r"^#\s*python:\s*([\d.]+)\s*$", re.MULTILINE)
_PACKAGE = re.compile(r"^[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Environment:
    """Environment that a file under ``tests/environments`` describes."""

    root: Path
    """Folder of the repository."""
    name: str

    @property
    def file(self) -> Path:
        return self.root / "tests" / "environments" / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        return self.root / f".venv-{self.name}"

    @property
    def tests(self) -> list[str]:
        """Return the arguments of pytest: paths and options."""
        return [word for line in _RUNS.findall(self.file.read_text(encoding="utf-8")) for word in shlex.split(line)]

    @property
    def version(self) -> str:
        """Return the version of Python that the file asks for; "" for the one that runs this."""
        match = _PYTHON.search(self.file.read_text(encoding="utf-8"))
        return "" if match is None else match[1]

    @property
    def interpreter(self) -> str | None:
        """Return the program of that version; None where the machine has none."""
        return find_python(self.version) if self.version else sys.executable

    @property
    def constraints(self) -> str:
        """Return `constraints.txt` without the packages of which the file names a version."""
        lines = self.file.read_text(encoding="utf-8").splitlines()
        own = {_package(line) for line in lines if re.search(r"[<>=~@]", line)}
        pinned = (self.root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in pinned if _package(line) not in own) + "\n"

    @property
    def key(self) -> str:
        """Return a digest of everything that the environment is made from."""
        own = self.file.read_text(encoding="utf-8")
        sources = (self.constraints, own, installed_part(self.root / PROJECT, EXTRAS))
        return hashlib.sha256(
            "\0".join((sys.version, str(self.interpreter), *TEST_PACKAGES, *SPECSPAN, *sources)).encode()
        ).hexdigest()

    def make(self) -> None:
        """Make the environment anew, unless its sources are unchanged."""
        stamp, key = self.folder / ".made", self.key  # the key of what is read now: the file may change meanwhile
        if stamp.exists() and stamp.read_text(encoding="utf-8") == key:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        subprocess.run([self.interpreter or sys.executable, "-m", "venv", str(self.folder)], check=True)  # noqa: S603
        constraints = self.folder / "constraints.txt"
        constraints.write_text(self.constraints, encoding="utf-8")
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(constraints))
        self._python(*install, *SPECSPAN, *TEST_PACKAGES, "-r", str(self.file))
        stamp.write_text(key, encoding="utf-8")

    def run(self) -> None:
        """Run the tests of the environment."""
        self._python("-m", "pytest", "-n", "auto", "--thorough", *self.tests)

    def _python(self, *arguments: str) -> None:
        command = [str(self.folder / "bin" / "python"), *arguments]
        environ = {**os.environ, "SPECSPAN_ENVIRONMENT": self.name}
        subprocess.run(command, check=True, cwd=self.root, env=environ)  # noqa: S603 - our own


def installed_part(project: Path, extras: Iterable[str]) -> str:
    """Return what a ``pyproject.toml`` says that decides how an editable installation with these extras looks."""
    tables = tomllib.loads(project.read_text(encoding="utf-8"))
    told = tables.get("project", {})
    optional = told.get("optional-dependencies", {})
    names = ("name", "version", "requires-python", "dependencies", "scripts", "entry-points")
    decisive = (
        tables.get("build-system"),
        [told.get(name) for name in names],
        [optional.get(extra) for extra in extras],
        tables.get("tool", {}).get("hatch"),
    )
    return json.dumps(decisive, sort_keys=True)


def find_python(version: str) -> str | None:
    """Return a Python of ``version``, as ``3.10``, on the path or among pyenv's; None where there is none."""
    folder = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    on_path = shutil.which(f"python{version}")
    candidates = [on_path or "", *(str(path) for path in sorted(folder.glob(f"{version}.*/bin/python")))]
    for each in filter(None, candidates):
        if _prints_version(each, version):  # a shim of pyenv may stand for a version that is not selected
            return each
    return None


def _prints_version(python: str, version: str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    ran = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True)  # noqa: S603 - found above
    return ran.returncode == 0 and ran.stdout.strip() == version


def _package(line: str) -> str:
    """Return the package of a requirement, as PEP 503 writes it; "" for any other line."""
    match = _PACKAGE.match(line)
    return "" if match is None else re.sub(r"[-_.]+", "-", match[0]).lower()


def environments(root: Path, names: Sequence[str] = ()) -> list[Environment]:
    """Return the environments of these names, or all.

    Raises:
        SystemExit: a name is unknown, or an environment does not say what it runs.
    """
    by_name = {
        path.stem: Environment(root, path.stem) for path in sorted((root / "tests" / "environments").glob("*.txt"))
    }
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise SystemExit(f"unknown environment {unknown[0]!r}: tests/environments has {', '.join(by_name)}")
    idle = [each.name for each in by_name.values() if not each.tests]
    if idle:
        raise SystemExit(f"tests/environments/{idle[0]}.txt does not say what it is for: add a line '# runs: PATH ...'")
    return [by_name[name] for name in names or by_name]


def _possible(found: Iterable[Environment]) -> Iterator[Environment]:
    """Yield the environments whose Python is here, and name the others."""
    for each in found:
        if each.interpreter is None:
            print(f"== {each.name} left out: no Python {each.version} found", flush=True)
        else:
            yield each


def main(root: Path, names: Sequence[str]) -> int:
    """Make and run each environment. Return the number of those that failed."""
    failed = []
    with ThreadPoolExecutor(1) as pool:  # the next ones are installed while the tests of one run
        made = [(each, pool.submit(each.make)) for each in _possible(environments(root, names))]
        for each, installed in made:
            print(f"== {each.name}: {' '.join(each.tests)}", flush=True)
            try:
                installed.result()
                each.run()
            except subprocess.CalledProcessError as error:
                failed.append(each.name)
                print(f"== {each.name} failed: {' '.join(map(str, error.cmd))}", flush=True)
    print(f"== environments that failed: {', '.join(failed) or 'none'}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
