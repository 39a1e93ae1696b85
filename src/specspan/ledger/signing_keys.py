"""Sources of the key that signs checkpoints, and the list of public keys beside a ledger."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from specspan.errors import ConfigurationError, Problem
from specspan.ledger import ledger_files as files
from specspan.ledger.signed_note import PublicKey, Signer, parse_public_key, parse_signer

OWN_KEY: Final = "signing.key"
"""File in the ledger's folder with the key that is made where none is configured."""
KEY_NAME: Final = "specspan-ledger"
_COMMAND_TIMEOUT_S = 30.0


def configured_signer(environ: Mapping[str, str]) -> Signer | None:
    """Return the key of ``SPECSPAN_LEDGER_KEY``, ``SPECSPAN_LEDGER_KEY_FILE`` or ``SPECSPAN_LEDGER_KEY_COMMAND``.

    None where none of them is set.

    Raises:
        ConfigurationError: there is no key to be had from the source.
    """
    if text := environ.get("SPECSPAN_LEDGER_KEY", "").strip():
        return _parse(text, "SPECSPAN_LEDGER_KEY")
    if path := environ.get("SPECSPAN_LEDGER_KEY_FILE", "").strip():
        return read_signer(Path(path), "SPECSPAN_LEDGER_KEY_FILE")
    if command := environ.get("SPECSPAN_LEDGER_KEY_COMMAND", "").strip():
        return _parse(_output(command), "SPECSPAN_LEDGER_KEY_COMMAND")
    return None


def load_signer(environ: Mapping[str, str], folder: Path) -> Signer:
    """Return the key that is configured, or one that is made once and kept in the ledger's folder.

    Raises:
        ConfigurationError: there is no key to be had from the source.
    """
    signer = configured_signer(environ)
    if signer is not None:
        return signer
    path = folder / OWN_KEY
    if not path.exists():
        write_signer(path, Signer.generate(KEY_NAME))
    return read_signer(path, str(path))


def read_signer(path: Path, source: str) -> Signer:
    """Return the key in a file that nobody but its owner can read.

    Raises:
        ConfigurationError: the file cannot be read, others can read it, or it holds no key; ``source`` is named.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        problem = Problem(f"the key cannot be read: {error}", "Make one: specspan ledger keys new FILE.")
        raise ConfigurationError(source, problem) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigurationError(source, Problem("others can read the key", f"Run: chmod 600 {shlex.quote(str(path))}"))
    return _parse(text, source)


def write_signer(path: Path, signer: Signer) -> None:
    """Keep a key in a new file; where another process was first, leave its key there.

    Raises:
        OSError: the file cannot be made.
    """
    hidden = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = files.create_file(hidden)
    try:
        os.write(descriptor, f"{signer.private_text}\n".encode())
        os.fsync(descriptor)
        try:
            os.link(hidden, path)  # unlike a rename, never in place of another
        except FileExistsError:
            return
    finally:
        os.close(descriptor)
        hidden.unlink()


def publish_key(folder: Path, key: PublicKey) -> None:
    """Add a key to the list beside the ledger, unless it is there."""
    path = folder / files.KEYS
    if key not in listed_keys(folder):
        files.append_file(path, f"{key}\n".encode())


def listed_keys(folder: Path) -> tuple[PublicKey, ...]:
    """Return the keys that are listed beside the ledger; whoever can write there can add one."""
    path = folder / files.KEYS
    return parse_public_keys(path.read_text(encoding="ascii"), str(path)) if path.exists() else ()


def parse_public_keys(text: str, source: str) -> tuple[PublicKey, ...]:
    """Return the public keys in a text, one a line; lines that begin with ``#`` are comments.

    Raises:
        ConfigurationError: a line is no key; ``source`` is named.
    """
    keys = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(parse_public_key(line))
            except ValueError as error:
                problem = Problem(f"invalid public key: {error}", "Write name+id+key, as 'keys' prints it.", number)
                raise ConfigurationError(source, problem) from error
    return tuple(dict.fromkeys(keys))


def _parse(text: str, source: str) -> Signer:
    try:
        return parse_signer(text)
    except ValueError as error:
        problem = Problem(f"invalid key: {error}", "Make one: specspan ledger keys new FILE.")
        raise ConfigurationError(source, problem) from None  # the cause may quote the secret


def _output(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the command is the user's own
            shlex.split(command), stdout=subprocess.PIPE, text=True, check=True, timeout=_COMMAND_TIMEOUT_S
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        problem = Problem(f"the command failed: {type(error).__name__}", "Run it by hand: it must print the key.")
        raise ConfigurationError("SPECSPAN_LEDGER_KEY_COMMAND", problem) from None
    return done.stdout
