"""Copy the libraries that the console's pages load into the package: python tools/vendor_console.py, with npm.

Each is taken from its package by name and version, and only where the package's digest is the one written here. A new
version is a change of these lines and of the files that the command writes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "src" / "specspan" / "console" / "static" / "vendor"


@dataclass(frozen=True, slots=True)
class Library:
    """Library that is copied."""

    package: str
    version: str
    licence: str
    sha512: str
    """Digest of the package, in base64, as npm has it."""
    files: tuple[tuple[str, str], ...]
    """Paths in the package, and names of the copies."""


LIBRARIES = (
    Library(
        "htmx.org",
        "2.0.8",
        "0BSD",
        "fm297iru0iWsNJlBrjvtN7V9zjaxd+69Oqjh4F/Vq9Wwi2kFisLcrLCiv5oBX0KLfOX/zG8AUo9ROMU5XUB44Q==",
        (("dist/htmx.min.js", "htmx-2.0.8.min.js"), ("LICENSE", "htmx-2.0.8.LICENSE")),
    ),
    Library(
        "uplot",
        "1.6.32",
        "MIT",
        "KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        (
            ("dist/uPlot.iife.min.js", "uplot-1.6.32.min.js"),
            ("dist/uPlot.min.css", "uplotcss-1.6.32.min.css"),
            ("LICENSE", "uplot-1.6.32.LICENSE"),
        ),
    ),
)


def main() -> None:
    """Copy every library, and write down what was copied."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    written = [entry for library in LIBRARIES for entry in _copy(library)]
    text = json.dumps(written, indent=2) + "\n"
    (FOLDER / "vendored.json").write_text(text, encoding="utf-8")
    print(text, end="")


def _copy(library: Library) -> list[dict[str, str]]:
    with tempfile.TemporaryDirectory() as place:
        command = ["npm", "pack", "--silent", f"{library.package}@{library.version}"]
        subprocess.run(command, cwd=place, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        (packed,) = Path(place).iterdir()
        digest = base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if digest != library.sha512:
            sys.exit(f"{library.package} {library.version} has the digest {digest}: not the package that was looked at")
        with tarfile.open(packed) as archive:
            return [_copy_file(archive, library, path, name) for path, name in library.files]


def _copy_file(archive: tarfile.TarFile, library: Library, path: str, name: str) -> dict[str, str]:
    member = archive.extractfile(f"package/{path}")
    if member is None:
        sys.exit(f"{library.package} has no file {path}")
    data = member.read()
    (FOLDER / name).write_bytes(data)
    return {
        "file": name,
        "package": library.package,
        "version": library.version,
        "licence": library.licence,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


if __name__ == "__main__":
    main()
