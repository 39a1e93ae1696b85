"""Tests that need other packages than `constraints.txt` pins, each in an environment of its own.

    python tools/environments.py [NAME ...]

``tests/environments/NAME.txt`` is a list of pip's requirements. Its packages hold in place of those that
`constraints.txt` names; everything else is as pinned there. Lines ``# runs: PATH ...`` say what pytest is given, and
any other comment why the environment exists. It is ``.venv-NAME``, made again whenever what it is made from changes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("hypothesis", "pytest", "pytest-asyncio", "pytest-randomly", "pytest-xdist")
"""By any environment: what the tests are run with."""
SPECSPAN = ("-e", "exporters/sqlite", "-e", ".[cli]")
PROJECTS = ("pyproject.toml", "exporters/sqlite/pyproject.toml")
_RUNS = re.compile(r"^#\s*runs:(.*)$", re.MULTILINE)
_PACKAGE = re.compile(r"^[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class Environment:
    """One file under ``tests/environments``."""

    root: Path
    """The repository's."""
    name: str

    @property
    def file(self) -> Path:
        return self.root / "tests" / "environments" / f"{self.name}.txt"

    @property
    def folder(self) -> Path:
        return self.root / f".venv-{self.name}"

    @property
    def tests(self) -> list[str]:
        """What pytest is given: paths, and options."""
        return [word for line in _RUNS.findall(self.file.read_text(encoding="utf-8")) for word in shlex.split(line)]

    @property
    def constraints(self) -> str:
        """`constraints.txt` without the packages that the file names."""
        own = set(map(_package, self.file.read_text(encoding="utf-8").splitlines()))
        pinned = (self.root / "constraints.txt").read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in pinned if _package(line) not in own) + "\n"

    @property
    def key(self) -> str:
        """Changes with everything that the environment is made from."""
        made_from = [self.constraints, *(path.read_text(encoding="utf-8") for path in self._files())]
        return hashlib.sha256("\0".join((sys.version, *NEEDED, *SPECSPAN, *made_from)).encode()).hexdigest()

    def _files(self) -> Iterator[Path]:
        yield self.file
        for project in PROJECTS:
            yield self.root / project

    def make(self) -> None:
        """Make it anew, unless it is as it should be."""
        made, key = self.folder / ".made", self.key  # of what is read now: the file may change meanwhile
        if made.exists() and made.read_text(encoding="utf-8") == key:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True, symlinks=True)
        constraints = self.folder / "constraints.txt"
        constraints.write_text(self.constraints, encoding="utf-8")
        install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(constraints))
        self._python(*install, *SPECSPAN, *NEEDED, "-r", str(self.file))
        made.write_text(key, encoding="utf-8")

    def run(self) -> None:
        """Run its tests."""
        self._python("-m", "pytest", "-n", "auto", *self.tests)

    def _python(self, *arguments: str) -> None:
        command = [str(self.folder / "bin" / "python"), *arguments]
        named = {**os.environ, "SPECSPAN_ENVIRONMENT": self.name}
        subprocess.run(command, check=True, cwd=self.root, env=named)  # noqa: S603 - our own


def _package(line: str) -> str:
    """Which package a requirement is for, as PEP 503 writes it; "" of any other line."""
    found = _PACKAGE.match(line)
    return "" if found is None else re.sub(r"[-_.]+", "-", found[0]).lower()


def environments(root: Path, names: Sequence[str] = ()) -> list[Environment]:
    """Those of these names, or all.

    Raises:
        SystemExit: there is none of such a name, or one says not what it runs.
    """
    found = {
        path.stem: Environment(root, path.stem) for path in sorted((root / "tests" / "environments").glob("*.txt"))
    }
    unknown = [name for name in names if name not in found]
    if unknown:
        raise SystemExit(f"no environment {unknown[0]!r}: tests/environments has {', '.join(found)}")
    idle = [each.name for each in found.values() if not each.tests]
    if idle:
        raise SystemExit(f"tests/environments/{idle[0]}.txt does not say what it is for: add a line '# runs: PATH ...'")
    return [found[name] for name in names or found]


def main(root: Path, names: Sequence[str]) -> int:
    """Make and run each. Returns how many failed."""
    failed = []
    for each in environments(root, names):
        print(f"== {each.name}: {' '.join(each.tests)}", flush=True)
        try:
            each.make()
            each.run()
        except subprocess.CalledProcessError as error:
            failed.append(each.name)
            print(f"== {each.name} failed: {' '.join(map(str, error.cmd))}", flush=True)
    print(f"== environments that failed: {', '.join(failed) or 'none'}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[1], sys.argv[1:]))
