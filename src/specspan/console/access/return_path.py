"""Paths to which somebody returns once they are known: of this console alone, whatever a link says."""

from __future__ import annotations

from urllib.parse import urlsplit

_START = "/"


def local_path(wanted: str | None) -> str:
    """Return a path of this console; the start page where a link names another site, or hides one."""
    if not wanted or not wanted.startswith("/") or wanted.startswith("//"):
        return _START
    if "\\" in wanted or not wanted.isprintable():  # browsers read a backslash as a slash, and skip control characters
        return _START
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return _START
    return wanted if not parts.scheme and not parts.netloc else _START
