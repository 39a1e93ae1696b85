"""Signed notes and checkpoints, in the formats of C2SP that verifiers of transparency logs read.

Sources: https://c2sp.org/signed-note and https://c2sp.org/tlog-checkpoint. Keys are Ed25519 (RFC 8032).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from types import ModuleType
from typing import TYPE_CHECKING, Final

from specspan.errors import MissingDependency, Problem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_PRIVATE: Final = "PRIVATE+KEY+"
_NAME = re.compile(r"[!-*,-~]+")
_SIGNATURE = re.compile(r"— ([!-*,-~]+) ([A-Za-z0-9+/=]+)")
_CHECKPOINT = re.compile(r"(\S+)\n(\d+)\n([A-Za-z0-9+/]{43}=)\nspecspan (\d+) (\d+)\n")


class InvalidNote(ValueError):
    """Text that is not a note, or whose signature is not of its text."""


class UnknownKey(InvalidNote):
    """Absence of a signature by a key that is known; ``args`` has the ids of the keys that signed."""


@dataclass(frozen=True)
class PublicKey:
    """Key that signatures are checked with. ``str()`` gives the form of signed notes: ``name+id+key``."""

    name: str
    raw: bytes

    @property
    def id(self) -> bytes:
        """Return the four bytes that a signature names its key by."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.raw).decode()}"

    @property
    def _key(self) -> Ed25519PublicKey:
        key: Ed25519PublicKey | None = self.__dict__.get("_made")  # no cached_property: before Python 3.12 that locks
        if key is None:
            key = self.__dict__["_made"] = _ed25519().Ed25519PublicKey.from_public_bytes(self.raw)
        return key

    def has_signed(self, signature: bytes, text: bytes) -> bool:
        """Return whether a signature is of this key and of the text."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, repr=False)
class Signer:
    """Key that checkpoints are signed with."""

    name: str
    seed: bytes

    @classmethod
    def generate(cls, name: str) -> Signer:
        """Return a new key.

        Raises:
            ValueError: ``name`` has a space, a plus or a character beyond ASCII.
        """
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"invalid name of a key {name!r}: use ASCII without spaces and plus signs")
        return cls(name, _ed25519().Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public_key(self) -> PublicKey:
        """Return the key that its signatures are checked with."""
        return PublicKey(self.name, self._key.public_key().public_bytes_raw())

    @property
    def private_text(self) -> str:
        """Return the secret in the form that signers of notes share."""
        return f"{_PRIVATE}{self.name}+{self.public_key.id.hex()}+{base64.b64encode(_ED25519 + self.seed).decode()}"

    def sign(self, text: str) -> str:
        """Return a note: the text, which ends with a line break, an empty line and the signature."""
        signature = base64.b64encode(self.public_key.id + self._key.sign(text.encode())).decode()
        return f"{text}\n— {self.name} {signature}\n"

    @property
    def _key(self) -> Ed25519PrivateKey:
        key: Ed25519PrivateKey | None = self.__dict__.get("_made")
        if key is None:
            key = self.__dict__["_made"] = _ed25519().Ed25519PrivateKey.from_private_bytes(self.seed)
        return key


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Statement about the first records of one stream."""

    origin: str
    size: int
    """Number of records."""
    root: bytes
    number: int
    """Place among the checkpoints of the stream, counted from 1: none can be taken out unnoticed."""
    time_unix_nano: int
    note: str = field(default="", compare=False, repr=False)
    """Signed note that it was read from."""

    def __str__(self) -> str:
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\nspecspan {self.number} {self.time_unix_nano}\n"


def parse_public_key(text: str) -> PublicKey:
    """Return the key in ``name+id+key``.

    Raises:
        ValueError: the text is no such key, or its id is of another.
    """
    name, _, rest = text.strip().partition("+")
    id_, _, encoded = rest.partition("+")
    key = PublicKey(name, _key_bytes(encoded))
    if id_ != key.id.hex():
        raise ValueError("the key does not have the id that stands before it")
    return key


def parse_signer(text: str) -> Signer:
    """Return the key in ``PRIVATE+KEY+name+id+seed``.

    Raises:
        ValueError: the text is no such key, or its id is of another. The message does not quote the text.
    """
    text = text.strip()
    if not text.startswith(_PRIVATE):
        raise ValueError(f"the text does not begin with {_PRIVATE}")
    name, _, rest = text.removeprefix(_PRIVATE).partition("+")
    id_, _, encoded = rest.partition("+")
    signer = Signer(name, _key_bytes(encoded))
    if id_ != signer.public_key.id.hex():
        raise ValueError("the key does not have the id that stands before it")
    return signer


def open_note(note: str, keys: Iterable[PublicKey]) -> str:
    """Return the text, with the line break at its end, of a note that one of ``keys`` signed.

    Raises:
        UnknownKey: none of the keys signed it.
        InvalidNote: a signature is wrong, or the text is no signed note.
    """
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n"):
        raise InvalidNote("the text is not a signed note")
    _check_signatures(text + "\n", signatures, {key.id: key for key in keys})
    return text + "\n"


def open_checkpoint(note: str, keys: Iterable[PublicKey]) -> Checkpoint:
    """Return the checkpoint in a note that one of ``keys`` signed.

    Raises:
        UnknownKey: none of the keys signed it.
        InvalidNote: a signature is wrong, or the note is not one of a checkpoint.
    """
    match = _CHECKPOINT.fullmatch(open_note(note, keys))
    if match is None:
        raise InvalidNote("the note is not a checkpoint of a ledger")
    root = base64.b64decode(match[3])
    return Checkpoint(match[1], int(match[2]), root, int(match[4]), int(match[5]), note)


def _check_signatures(text: str, signatures: str, keys: dict[bytes, PublicKey]) -> None:
    found: list[str] = []
    is_signed = False
    for line in signatures[:-1].split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise InvalidNote("the note has a malformed signature")
        signature = _decode(match[2])
        key = keys.get(signature[:4])
        found.append(f"{match[1]}+{signature[:4].hex()}")
        if key is None or key.name != match[1]:
            continue
        if not key.has_signed(signature[4:], text.encode()):
            raise InvalidNote("the signature is wrong")
        is_signed = True
    if not is_signed:
        raise UnknownKey(*found)


def _key_bytes(encoded: str) -> bytes:
    data = _decode(encoded)
    if len(data) != 33 or data[:1] != _ED25519:
        raise ValueError("the key is not one of Ed25519")
    return data[1:]


def _decode(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise InvalidNote("invalid base64") from error


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        problem = Problem("the package 'cryptography' is not installed", "Run: pip install 'specspan[ledger]'")
        raise MissingDependency("ledger", problem) from error
    return ed25519
