"""Catalogue of published specs: facts about each edition, no text, and the download of an edition.

A file is recognised by its digest. Two texts of one name and one date are two editions: the later one has ``-rev2``
behind its date. A download goes over HTTPS, is bounded in size and time, and accepts only the bytes that are known.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from http.client import HTTPException, HTTPMessage
from importlib import resources
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from specspan._support.messages import did_you_mean, quoted_list
from specspan.errors import Problem, SpecError
from specspan.spec.spec import Spec

PUBLISHED_AT = "https://raw.githubusercontent.com/"
"""Base of the catalogue's addresses; ``SPECSPAN_CATALOGUE_URL`` names a mirror."""
TIMEOUT_S = 30.0
_FOLDER = "published"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)@(?P<version>[\w.:+-]+)")
_CHUNK_BYTES = 65_536
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Edition:
    """Published text of a spec."""

    name: str
    version: str
    """Date of the text, and ``-rev2`` where another text was published under that date before."""
    date: str
    digest: str
    """``sha256:`` and the hex digest of the bytes."""
    size_bytes: int
    url: str
    """Address below `PUBLISHED_AT` or the mirror in ``SPECSPAN_CATALOGUE_URL``."""
    ladder: tuple[str, ...]
    clauses: Mapping[str, tuple[str | None, str]]
    """Level of authority and digest of the text, by clause id."""

    @property
    def pin(self) -> str:
        """Return the name of the edition in a policy: ``name@version``."""
        return f"{self.name}@{self.version}"


@lru_cache(maxsize=1)
def editions() -> Mapping[str, Edition]:
    """Return every known edition by digest, in the order of publication."""
    folder = resources.files("specspan.spec") / _FOLDER
    read = [_parse_edition(json.loads(file.read_text(encoding="utf-8"))) for file in folder.iterdir()]
    return {edition.digest: edition for edition in sorted(read, key=lambda edition: edition.pin)}


def find_edition(reference: str) -> Edition | None:
    """Return the edition that ``name@version`` means; None where the catalogue lacks the name.

    Raises:
        SpecError: the catalogue has the name, but not the version.
    """
    match = _PIN.fullmatch(reference)
    versions = {edition.version: edition for edition in editions().values() if match and edition.name == match["name"]}
    if match is None or not versions:
        return None
    if match["version"] not in versions:
        remedy = did_you_mean(match["version"], versions, f"Known are {quoted_list(versions)}.")
        raise SpecError(reference, Problem(f"unknown version {match['version']!r} of {match['name']!r}", remedy))
    return versions[match["version"]]


def nearest_edition(spec: Spec) -> tuple[Edition, float] | None:
    """Return the edition most like a spec, and the share of clauses that have one text and level in both.

    None where no edition shares any clause.
    """
    mine = _clause_facts(spec)
    shares = {digest: _shared_fraction(mine, edition.clauses) for digest, edition in editions().items()}
    best = max(shares, key=lambda digest: shares[digest], default=None)
    return None if best is None or not shares[best] else (editions()[best], shares[best])


def describe(spec: Spec, *, version: str, date: str, size_bytes: int, url: str) -> dict[str, Any]:
    """Return the facts about a published text as the catalogue stores them."""
    return {
        "v": 1,
        "name": spec.id,
        "version": version,
        "date": date,
        "digest": spec.digest,
        "size_bytes": size_bytes,
        "url": url,
        "ladder": list(spec.ladder),
        "clauses": {id_: list(facts) for id_, facts in _clause_facts(spec).items()},
    }


def pull(
    edition: Edition, target: Path, *, environ: Mapping[str, str] = os.environ, timeout_s: float = TIMEOUT_S
) -> None:
    """Download an edition to a file.

    Args:
        edition: edition to download.
        target: file to write, whole or not at all; an existing file is replaced.
        environ: environment variables.
        timeout_s: time the whole download may take.

    Raises:
        SpecError: the download failed, or its digest is not the one the catalogue knows. Then nothing is written.
    """
    url = (environ.get("SPECSPAN_CATALOGUE_URL") or PUBLISHED_AT).rstrip("/") + "/" + edition.url
    _refuse_unsafe(url)
    try:
        data = _download(url, edition.size_bytes, timeout_s)
    except HTTPError as error:
        error.close()
        raise _pull_error(url, f"the server answers {error.code}", "Check the address.") from error
    except (OSError, HTTPException) as error:
        raise _pull_error(url, f"the download failed: {error}", "Check the network and its proxy.") from error
    digest = f"sha256:{sha256(data).hexdigest()}"
    if digest != edition.digest:
        message = f"the download has the digest {digest}, {edition.pin} has {edition.digest}"
        raise _pull_error(url, message, "Do not use it; download it from where it was published.")
    _write_atomically(data, target)


def _parse_edition(read: dict[str, Any]) -> Edition:
    clauses = {id_: (authority, digest) for id_, (authority, digest) in read["clauses"].items()}
    plain = {key: value for key, value in read.items() if key not in ("v", "ladder", "clauses")}
    return Edition(ladder=tuple(read["ladder"]), clauses=clauses, **plain)


def _clause_facts(spec: Spec) -> dict[str, tuple[str | None, str]]:
    return {
        clause.id: (clause.authority, sha256(clause.text.encode("utf-8", "surrogatepass")).hexdigest())
        for clause in spec.clauses.values()
    }


def _shared_fraction(mine: Mapping[str, tuple[str | None, str]], theirs: Mapping[str, tuple[str | None, str]]) -> float:
    same = sum(1 for id_, facts in mine.items() if theirs.get(id_) == facts)
    return same / max(len(mine.keys() | theirs.keys()), 1)


def _download(url: str, size_bytes: int, timeout_s: float) -> bytes:
    deadline_s = time.monotonic() + timeout_s
    request = Request(url, headers={"User-Agent": "specspan"})  # noqa: S310  _refuse_unsafe saw it
    data = bytearray()
    with build_opener(_SafeRedirectHandler).open(request, timeout=timeout_s) as response:
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            if len(data) > size_bytes:
                raise _pull_error(url, f"the download has more than {size_bytes} bytes", "Do not use that address.")
            if time.monotonic() > deadline_s:
                raise _pull_error(url, f"it took longer than {timeout_s:g} s", "Try again later.")
    return bytes(data)


class _SafeRedirectHandler(HTTPRedirectHandler):
    """Redirect handler that refuses the addresses `pull` itself refuses."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        _refuse_unsafe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _refuse_unsafe(url: str) -> None:
    try:
        parts = urlsplit(url)
        safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    except ValueError:
        safe = False
    if not safe:
        raise _pull_error(
            url,
            "this is not an https address",
            "Give SPECSPAN_CATALOGUE_URL one that begins with 'https://'.",
        )


def _write_atomically(data: bytes, target: Path) -> None:
    """Write a file whole, or not at all."""
    temporary: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".pull-")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink()
        raise _pull_error(
            str(target), f"it cannot be written: {error.strerror}", "Name another file with -o."
        ) from error


def _pull_error(source: str, message: str, remedy: str) -> SpecError:
    return SpecError(source, Problem(message, remedy))
