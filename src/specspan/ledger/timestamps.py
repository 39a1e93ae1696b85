"""Timestamps of checkpoints by an authority (RFC 3161): somebody else says when a ledger was as it is.

A file with the checkpoint, a signed note, stands beside one with the answer about it; both are kept elsewhere.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.ledger.audit import stream_of
from specspan.ledger.signed_note import Checkpoint

_TIMEOUT_S: Final = 30.0
_MAX_BYTES: Final = 1_000_000


class Timestamp(NamedTuple):
    """Statement of an authority about one checkpoint."""

    note: Path
    """File with the checkpoint, which `verify --against` takes."""
    time: datetime
    """Time at which the authority had seen it."""


def stamp_checkpoint(checkpoint: Checkpoint, url: str, folder: Path) -> Timestamp:
    """Have a checkpoint stamped, and keep it in a folder with the answer.

    Raises:
        ConfigurationError: the authority does not answer as RFC 3161 has it, or does not stamp it.
        MissingDependency: `rfc3161-client` is not installed.
        OSError: a file cannot be written.
    """
    client = _client()
    data = checkpoint.note.encode()
    query = client.TimestampRequestBuilder().data(data).nonce(nonce=True).cert_request(cert_request=True).build()
    try:
        answer = _post(url, query.as_bytes())
        response = client.decode_timestamp_response(answer)
        time: datetime = response.tst_info.gen_time
        if response.tst_info.message_imprint.message != query.message_imprint.message:
            raise ValueError("the answer is about something else")
    except (OSError, ValueError) as error:
        problem = Problem(f"no timestamp was given: {error}", "Give the address of an authority of RFC 3161.")
        raise ConfigurationError(url, problem) from error
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{stream_of(checkpoint)}-{checkpoint.size}.note"
    note.write_bytes(data)
    note.with_suffix(".tsr").write_bytes(answer)
    return Timestamp(note, time)


def check_timestamps(folder: Path, roots: bytes) -> Iterator[Timestamp | ConfigurationError]:
    """Yield for each checkpoint in a folder when its authority had seen it, or what is wrong with the statement.

    ``roots`` are the certificates, in PEM, of the authorities that are believed.

    Raises:
        MissingDependency: `rfc3161-client` is not installed.
        OSError: a file cannot be read.
    """
    from cryptography.x509 import load_pem_x509_certificates

    client = _client()
    certificates = load_pem_x509_certificates(roots)
    for note in sorted(folder.glob("*.note")):
        try:
            response = client.decode_timestamp_response(note.with_suffix(".tsr").read_bytes())
            _verify(client, certificates, response, note.read_bytes())
            yield Timestamp(note, response.tst_info.gen_time)
        except (ValueError, FileNotFoundError, client.VerificationError) as error:
            problem = Problem(f"the timestamp does not hold: {error}", "Have the checkpoint stamped again.")
            yield ConfigurationError(str(note), problem)


def _verify(client: ModuleType, certificates: Sequence[object], response: object, data: bytes) -> None:
    builder = client.VerifierBuilder()
    for certificate in certificates:
        builder = builder.add_root_certificate(certificate)
    builder.build().verify_message(response, data)


def _post(url: str, body: bytes) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ValueError("only http:// and https:// addresses can be asked")
    headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
    request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked above
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
        data: bytes = response.read(_MAX_BYTES)
        return data


def _client() -> ModuleType:
    try:
        import rfc3161_client
    except ImportError as error:
        problem = Problem("the package 'rfc3161-client' is not installed", "Run: pip install 'specspan[timestamps]'")
        raise MissingDependency("timestamps", problem) from error
    return rfc3161_client
