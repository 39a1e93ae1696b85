"""Signed posts of JSON to one address. Source: Standard Webhooks 1.0, https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import urllib.parse
import urllib.request
from typing import Any

LEAST_KEY_BYTES = 24


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect: a POST would become a GET, and a signed message is meant for one receiver."""

    def redirect_request(self, *_: Any) -> None:
        return None


def is_http_url(url: str | None) -> bool:
    """Return whether ``url`` is an address that can be posted to."""
    if not url:
        return False
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def signature(key: bytes, id_: str, timestamp: str, body: bytes) -> str:
    """Return ``v1,`` and the HMAC-SHA256 of id, timestamp and body in base64."""
    digest = hmac.new(key, f"{id_}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


def decode_secret(secret: str) -> bytes | None:
    """Return the key of a secret, ``whsec_`` and base64 of at least `LEAST_KEY_BYTES` bytes; None if it is invalid."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) >= LEAST_KEY_BYTES else None
