"""File of mitigations as `specspan mitigate` changes it: signed, replaced as a whole, by one process after another."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from specspan.errors import ConfigurationError, Problem
from specspan.ledger.signed_note import Signer
from specspan.ledger.signing_keys import configured_signer
from specspan.policy.mitigation import Mitigation
from specspan.policy.mitigation_file import read_mitigations, signed_text

if sys.platform != "win32":  # where nothing keeps two apart that change it at the same moment
    import fcntl


@dataclass(frozen=True, slots=True)
class SignedMitigations:
    """File of mitigations, and the key that signs it here."""

    path: Path
    signer: Signer

    @classmethod
    def of(cls, path: Path | None) -> SignedMitigations:
        """Return the file of a path, with the key that is configured.

        Raises:
            UsageError: there is no path.
            ConfigurationError: there is no key.
        """
        if path is None:
            raise click.UsageError("Name the file that processes watch with --file or SPECSPAN_MITIGATIONS.")
        signer = configured_signer(os.environ)
        if signer is None:
            remedy = "Set SPECSPAN_LEDGER_KEY_FILE; `specspan ledger keys new FILE` makes a key."
            raise ConfigurationError("specspan mitigate", Problem("no key to sign with", remedy))
        return cls(path, signer)

    def in_force(self, now_unix_nano: int) -> list[Mitigation]:
        """Return the mitigations in it that have not ended.

        Raises:
            ConfigurationError: the file is not one that this key signed.
        """
        found = read_mitigations(self.path, [self.signer.public_key])
        return [each for each in found if each.until_unix_nano > now_unix_nano]

    def change(
        self, now_unix_nano: int, change: Callable[[list[Mitigation]], list[Mitigation]]
    ) -> Sequence[Mitigation]:
        """Replace what is in force by what ``change`` makes of it, and return that. Others that change it wait.

        Raises:
            ClickException: the file cannot be written.
            ConfigurationError: the file is not one that this key signed.
        """
        try:
            with _locked(self.path.absolute().parent):
                changed = change(self.in_force(now_unix_nano))
                self._write(signed_text(changed, self.signer))
        except OSError as error:
            raise click.ClickException(f"{self.path} cannot be written: {error}") from error
        return changed

    def _write(self, text: str) -> None:
        """Replace the file in one step: a reader sees the one before or this one."""
        descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=f".{self.path.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)  # processes of other users read it; the signature keeps it
            Path(name).replace(self.path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder while the block lasts, so that no file has to be left for it."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
