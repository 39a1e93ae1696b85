"""Content of calls beside the chain, encrypted with a key for each subject, so that it can be erased for good.

The chain holds no content, only keyed digests of it. What is kept besides stands in files of its own, sealed with
AES-256-GCM (NIST SP 800-38D) under the key of the person whom it is about. Who destroys that key erases all of it, in
backups of these files, too; the chain and its proofs stay as they are.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from specspan._support import process
from specspan.errors import MissingDependency, Problem
from specspan.ledger import ledger_files as files

CONTENT: Final = "content"
"""Folder of the sealed content, and of the keys to it."""
ERASURE: Final = "erasure"
"""Type of the record that says that the content about a subject was erased."""
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_SALT: Final = "salt"


class ContentStore:
    """Sealed content of one ledger. One thread at a time; any number of processes."""

    def __init__(self, ledger: Path) -> None:
        """Make no file yet: the first content does."""
        self._folder = ledger / CONTENT
        self._path: Path | None = None
        process.after_fork(self)

    def after_fork(self) -> None:
        """Write to a file of its own in a forked child."""
        self._path = None

    def subject_name(self, subject: str) -> str:
        """Return the name that stands for a subject in files and records, and tells nobody who it is.

        Raises:
            OSError: the secret that it is made with cannot be read or made.
        """
        return hmac.digest(_secret(self._folder / _SALT), subject.encode("utf-8", "replace"), "sha256").hex()

    def keep(self, subject: str, decision: str, content: Mapping[str, Any]) -> None:
        """Seal the content of a call about a subject.

        Raises:
            OSError: it cannot be written.
            MissingDependency: `cryptography` is not installed.
        """
        name = self.subject_name(subject)
        key = _secret(self._folder / "keys" / name)
        nonce = os.urandom(_NONCE_BYTES)
        plain = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        sealed = _aead().AESGCM(key).encrypt(nonce, plain, decision.encode())
        line = {"id": decision, "subject": name, "data": base64.b64encode(nonce + sealed).decode()}
        self._append(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def read(self, decision: str) -> dict[str, Any] | None:
        """Return the content of a call; None where none was kept, or it was erased.

        Raises:
            ValueError: the content was changed.
            OSError: a file cannot be read.
        """
        for line in self._lines(decision):
            try:
                key = files.read_file(self._folder / "keys" / str(line["subject"]))
            except FileNotFoundError:
                return None
            data = base64.b64decode(line["data"])
            return _open(key, data, decision)
        return None

    def erase(self, subject: str) -> str:
        """Destroy the key of a subject, and return the name that stands for it.

        Raises:
            KeyError: nothing is kept about the subject.
            OSError: the key cannot be destroyed.
        """
        name = self.subject_name(subject)
        path = self._folder / "keys" / name
        try:
            descriptor = files.open_file(path, os.O_WRONLY)
        except FileNotFoundError as error:
            raise KeyError(subject) from error
        try:
            os.write(descriptor, bytes(_KEY_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
        files.sync_folder(path.parent)
        return name

    def expire(self, before_s: float) -> None:
        """Remove the files that were last written before a Unix time."""
        for path in self._paths():
            with contextlib.suppress(FileNotFoundError):
                if path != self._path and path.stat().st_mtime < before_s:
                    path.unlink()

    def _append(self, data: bytes) -> None:
        day = time.strftime("%Y%m%d", time.gmtime())
        if self._path is None or not self._path.name.startswith(day):
            files.make_folder(self._folder / "sealed")
            self._path = self._folder / "sealed" / f"{day}-{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        files.append_file(self._path, data)

    def _paths(self) -> list[Path]:
        folder = self._folder / "sealed"
        return sorted(folder.glob("*.jsonl")) if folder.is_dir() else []

    def _lines(self, decision: str) -> Iterator[Mapping[str, Any]]:
        mark = json.dumps({"id": decision}, separators=(",", ":"))[:-1].encode() + b","
        for path in self._paths():
            for line in files.read_file(path).splitlines():
                if line.startswith(mark):
                    with contextlib.suppress(ValueError):  # torn
                        yield json.loads(line)


def redact_texts(value: Any, redact: Callable[[str], str]) -> Any:
    """Return content with every text in it as ``redact`` has it.

    Raises:
        TypeError: it returned something else than a text.
        Exception: whatever it raised.
    """
    if isinstance(value, str):
        redacted = redact(value)
        if not isinstance(redacted, str):
            raise TypeError(f"the redactor returned {type(redacted).__name__}, not str")
        return redacted
    if isinstance(value, Mapping):
        return {key: redact_texts(each, redact) for key, each in value.items()}
    return [redact_texts(each, redact) for each in value] if isinstance(value, (list, tuple)) else value


def _open(key: bytes, data: bytes, decision: str) -> dict[str, Any]:
    from cryptography.exceptions import InvalidTag

    try:
        plain = _aead().AESGCM(key).decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], decision.encode())
    except (InvalidTag, ValueError) as error:
        raise ValueError("the content was changed, or its key was") from error
    content: dict[str, Any] = json.loads(plain)
    return content


def _secret(path: Path) -> bytes:
    """Return the bytes of a secret that is made once; whoever comes second finds that of the first."""
    with contextlib.suppress(FileNotFoundError):
        return files.read_file(path)
    files.make_folder(path.parent.parent)
    files.make_folder(path.parent)
    hidden = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = files.create_file(hidden)
    try:
        os.write(descriptor, os.urandom(_KEY_BYTES))
        os.fsync(descriptor)
        with contextlib.suppress(FileExistsError):
            os.link(hidden, path)
    finally:
        os.close(descriptor)
        hidden.unlink()
    return files.read_file(path)


def _aead() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.ciphers import aead
    except ImportError as error:
        problem = Problem("the package 'cryptography' is not installed", "Run: pip install 'specspan[ledger]'")
        raise MissingDependency("ledger", problem) from error
    return aead
