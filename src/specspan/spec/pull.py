"""Downloading a published spec: over HTTPS, bounded in size and time, and only the bytes that are known."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from specspan.errors import Problem, SpecError
from specspan.spec.catalogue import Edition

PUBLISHED_AT = "https://raw.githubusercontent.com/"
"""Below this the catalogue's addresses are; ``SPECSPAN_CATALOGUE_URL`` names a mirror."""

TIMEOUT_S = 30.0
_CHUNK_BYTES = 65_536
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


def pull(
    edition: Edition, target: Path, *, environ: Mapping[str, str] = os.environ, timeout_s: float = TIMEOUT_S
) -> None:
    """Download an edition to a file.

    Args:
        edition: what to download.
        target: where to; written whole or not at all, a file that is there is replaced.
        environ: the environment.
        timeout_s: how long all of it may take.

    Raises:
        SpecError: it cannot be had, or what came is another text than the catalogue knows. Nothing is written then.
    """
    url = (environ.get("SPECSPAN_CATALOGUE_URL") or PUBLISHED_AT).rstrip("/") + "/" + edition.url
    _refuse_unsafe(url)
    try:
        data = _download(url, edition.size_bytes, timeout_s)
    except HTTPError as error:
        error.close()
        raise _refused(url, f"the server answers {error.code}", "Look whether the address is right.") from error
    except (OSError, HTTPException) as error:
        raise _refused(url, f"it cannot be downloaded: {error}", "Look at the network and its proxy.") from error
    digest = f"sha256:{sha256(data).hexdigest()}"
    if digest != edition.digest:
        message = f"what came has the digest {digest}, {edition.pin} has {edition.digest}"
        raise _refused(url, message, "Do not use it; download it from where it was published.")
    _write(data, target)


def _download(url: str, size_bytes: int, timeout_s: float) -> bytes:
    deadline_s = time.monotonic() + timeout_s
    request = Request(url, headers={"User-Agent": "specspan"})  # noqa: S310  _refuse_unsafe saw it
    data = bytearray()
    with build_opener(_Redirects).open(request, timeout=timeout_s) as response:
        while chunk := response.read1(_CHUNK_BYTES):
            data += chunk
            if len(data) > size_bytes:
                raise _refused(url, f"more than the {size_bytes} bytes that it has came", "Do not use that address.")
            if time.monotonic() > deadline_s:
                raise _refused(url, f"it took longer than {timeout_s:g} s", "Try again later.")
    return bytes(data)


class _Redirects(HTTPRedirectHandler):
    """Follows only where it would have gone by itself."""

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
        raise _refused(url, "this is no https address", "Give SPECSPAN_CATALOGUE_URL one that begins with 'https://'.")


def _write(data: bytes, target: Path) -> None:
    """The file appears whole, or not at all."""
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
        raise _refused(str(target), f"it cannot be written: {error.strerror}", "Name another file with -o.") from error


def _refused(source: str, message: str, remedy: str) -> SpecError:
    return SpecError(source, Problem(message, remedy))
