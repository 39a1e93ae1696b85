"""Released sources of a suite, and the environment in which its tests run.

The sources come from the registry by pip. Besides the package and specspan, an environment holds what the tests
import, in the versions of the lock file that the authors released with the sources.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tools.environments import PROJECT, installed_part
from tools.peer_suites.suite import ROOT, NotToBeHadError, Suite

SPECSPAN = ("-e", ".")
_UV = re.compile(r'^\[\[package\]\]\nname = "(.+)"\nversion = "(.+)"\nsource = \{ registry', re.MULTILINE)
_PIP = re.compile(r"^([A-Za-z0-9][\w.-]*)==(\S+)$", re.MULTILINE)


def make_environment(suite: Suite) -> None:
    """Fetch the sources and install the environment, unless the ones from before are still good.

    Raises:
        NotToBeHadError: the registry does not give the sources.
        subprocess.CalledProcessError: pip cannot install what they ask for.
        SystemExit: the released sources hold no tests.
    """
    stamp, key = suite.folder / ".made", _key(suite)
    if stamp.exists() and stamp.read_text(encoding="utf-8") == key:
        return
    shutil.rmtree(suite.folder, ignore_errors=True)
    venv.create(suite.folder / "venv", with_pip=True, symlinks=True)
    _unpack(suite)
    constraints = suite.folder / "constraints.txt"
    pins = (pin for pin in _pins(suite.sources) if pin[0] not in suite.unpinned)
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in pins), encoding="utf-8")
    _pip(
        suite,
        "install",
        "--no-compile",
        "-c",
        str(constraints),
        *SPECSPAN,
        f"{suite.name}=={suite.version}",
        *suite.requires,
    )
    stamp.write_text(key, encoding="utf-8")


def _unpack(suite: Suite) -> None:
    """Put the released sources under ``sources``."""
    name = f"{suite.name}=={suite.version}"
    try:
        _pip(suite, "download", "--no-deps", "--no-binary", suite.name, "-d", str(suite.folder), name)
    except subprocess.CalledProcessError as error:
        raise NotToBeHadError(f"the registry does not give {name}") from error
    (archive,) = suite.folder.glob("*.tar.gz")
    with tarfile.open(archive) as released:
        if hasattr(tarfile, "data_filter"):  # Python 3.11.4 and newer
            released.extractall(suite.folder / "unpacked", filter="data")
        else:
            released.extractall(suite.folder / "unpacked")  # noqa: S202 - the authors' release, from the registry
    (only,) = (suite.folder / "unpacked").iterdir()
    only.rename(suite.sources)
    if not list(suite.sources.rglob("test_*.py")):
        raise SystemExit(f"the released sources of {name} hold no tests: name a version in suites.yaml that has them")


def _pins(sources: Path) -> Iterator[tuple[str, str]]:
    """Yield the packages and versions of the authors' lock file; a package with several versions is left out."""
    found = ((sources / "uv.lock", _UV), (sources / "requirements-dev.lock", _PIP))
    pins = [pin for file, form in found if file.exists() for pin in form.findall(file.read_text(encoding="utf-8"))]
    versions = Counter(name for name, _ in pins)
    yield from (pin for pin in pins if versions[pin[0]] == 1)


def _pip(suite: Suite, command: str, *arguments: str) -> None:
    pip = (str(suite.python), "-m", "pip", command, "--quiet", "--disable-pip-version-check")
    subprocess.run((*pip, *arguments), check=True, cwd=ROOT)  # noqa: S603 - our own


def _key(suite: Suite) -> str:
    """Return a digest of everything that the environment is made from."""
    asked = (suite.name, suite.version, *suite.requires, *suite.unpinned)
    made_from = (sys.version, str(ROOT), *asked, *SPECSPAN, installed_part(ROOT / PROJECT, ()))
    return hashlib.sha256("\0".join(made_from).encode()).hexdigest()
