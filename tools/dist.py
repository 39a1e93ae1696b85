"""Build of every distribution, and a check of each as a user would meet it: python tools/dist.py [FOLDER].

Wheels and source distributions go to ``FOLDER``, by default ``dist``, which is emptied first. Each wheel is built
twice, from the tree and from its source distribution, and both hold the same files. Then the wheels are installed into
an empty environment, where `specspan demo` and the commands of the exporters run. It needs `build` and `twine`.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
EXTRAS = "cli,openai,alerts,prometheus,grafana,postgres,clickhouse"
"""Extras that are installed: the command line, the demo's client, and every exporter with its command."""
COMMANDS = (
    ("demo",),
    ("traces", "list"),
    ("traces", "show"),
    ("demo", "--write", "desk"),
    ("prometheus", "rules", "desk/policy.yaml", "--output", "specspan.rules.yaml"),
    ("grafana", "provision", "desk/policy.yaml", "provisioning"),
)
_STRAY = re.compile(r"(^|/)(\.|__pycache__|tests?/|.*\.(db|pyc)$)")
_OWN_METADATA = {".gitignore"}


def projects() -> list[Path]:
    """Return the folder of each distribution, that of the core first."""
    return [ROOT, *(path.parent for path in sorted(ROOT.glob("exporters/*/pyproject.toml")))]


def build(project: Path, folder: Path) -> list[Path]:
    """Build the source distribution and the wheel of a project, and return them.

    Raises:
        SystemExit: the source distribution builds another wheel than the tree.
    """
    before = set(folder.iterdir())
    _python("-m", "build", "--quiet", "--outdir", str(folder), str(project))  # the wheel from the source distribution
    made = sorted(set(folder.iterdir()) - before)
    (wheel,) = (path for path in made if path.suffix == ".whl")
    with tempfile.TemporaryDirectory() as elsewhere:
        _python("-m", "build", "--quiet", "--wheel", "--outdir", elsewhere, str(project))
        from_tree = digests(Path(elsewhere) / wheel.name)
    if digests(wheel) != from_tree:
        changed = sorted({name for name, _ in digests(wheel).items() ^ from_tree.items()})
        sys.exit(f"{wheel.name}: the source distribution builds another wheel: {', '.join(changed)}")
    return made


def digests(wheel: Path) -> Mapping[str, str]:
    """Return the digest of each file in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def contents(path: Path) -> list[str]:
    """Return the names of the files in a wheel or a source distribution."""
    if path.suffix == ".whl":
        return list(digests(path))
    with tarfile.open(path) as archive:
        return [member.name.partition("/")[2] for member in archive.getmembers() if not member.isdir()]


def problems(made: Sequence[Path]) -> list[str]:
    """Return what is wrong with the contents: strays, missing licences, and files of two wheels."""
    found = []
    for path in made:
        names = contents(path)
        found += [f"{path.name}: {name} does not belong in it" for name in names if _is_stray(name)]
        if not any(name.endswith("LICENSE") for name in names):
            found.append(f"{path.name}: it has no LICENSE")
    wheels = [name for path in made if path.suffix == ".whl" for name in contents(path)]
    return [*found, *(f"{name} belongs to {count} wheels" for name, count in Counter(wheels).items() if count > 1)]


def _is_stray(name: str) -> bool:
    return name not in _OWN_METADATA and _STRAY.search(name) is not None


def try_out(wheels: Iterable[Path]) -> None:
    """Install the wheels into an empty environment, and run the commands in an empty folder."""
    core, *others = sorted(wheels, key=lambda path: len(path.name))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _python("-m", "venv", str(folder / "environment"))
        binaries = folder / "environment" / "bin"
        pip = (str(binaries / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check")
        _run([*pip, "install", f"{core}[{EXTRAS}]", *map(str, others)])
        _run([*pip, "check"])
        empty = folder / "empty"
        empty.mkdir()
        for command in COMMANDS:
            print(f"== specspan {' '.join(command)}", flush=True)
            _run([str(binaries / "specspan"), *command], cwd=empty)


def _python(*arguments: str) -> None:
    _run([sys.executable, *arguments])


def _run(command: Sequence[str], cwd: Path = ROOT) -> None:
    subprocess.run(command, check=True, cwd=cwd)  # noqa: S603 - our own


def main(folder: Path) -> int:
    """Build, check and try out every distribution. Return the exit code."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = [path for project in projects() for path in build(project, folder)]
    _python("-m", "twine", "check", "--strict", *map(str, made))
    for path in made:
        print(f"{path.name}: {len(contents(path))} files, {path.stat().st_size // 1000} kB")
    found = problems(made)
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    try_out(path for path in made if path.suffix == ".whl")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()))
