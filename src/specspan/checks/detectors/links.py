"""Detector of links and images that lead where nothing should be sent: in Markdown, HTML and plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from specspan.checks.check import TextAt
from specspan.checks.detectors.detector import ALL, Match
from specspan.checks.patterns import Pattern

HOST_NOT_ALLOWED = "host_not_allowed"
IMAGE_NOT_ALLOWED = "image_not_allowed"
SCHEME_NOT_ALLOWED = "scheme_not_allowed"
DATA_IN_LINK = "data_in_link"
MISLEADING_LINK = "misleading_link"
REASONS = (DATA_IN_LINK, IMAGE_NOT_ALLOWED, SCHEME_NOT_ALLOWED, MISLEADING_LINK, HOST_NOT_ALLOWED)
"""In the order of which a link has its reason."""

MAX_URL_CHARS = 4096
"""Most characters of a link that are read."""
_STOPS = r"\s<>\"'`(){}|^\[\]"
_SCHEMES = r"(?i:https?|ftp|wss?)"
_START = rf"{_SCHEMES}:[/\\]{{1,4}}[^\s<>\"'`(){{}}\[\]|]|\]\( ?<?[/\\]{{2}}|(?i:src|href) ?= ?[\"']?[/\\]{{2}}"
_ODD_SCHEME = r"(?i:\]\( ?<?|(?:src|href) ?= ?[\"']?)(?i:javascript|vbscript|data|file):"
_URL = re.compile(rf"[^{_STOPS}]*")
_AUTHORITY = re.compile(r"(?:[a-zA-Z]+:)?[/\\]{1,4}(?:([^/?#\\]*)@)?([^/?#\\:@]*)")
_IMAGE = re.compile(
    r"(?:!\[[^\]\n]{0,200}\]\(\s?<?|<(?:img|source|video|audio|iframe|embed|link)\b[^<>\n]{0,200}[=]\s?[\"']?)\Z",
    re.IGNORECASE,
)
_LABEL = re.compile(r"\[([^\[\]\n]{1,200})\]\(\s?<?\Z")
_NAME_IN_LABEL = re.compile(r"(?:https?://)?((?:[\w-]+\.)+[a-z]{2,18})(?:[/?#]|\Z)", re.IGNORECASE)
_BEFORE_CHARS = 420
_LONG_VALUE = re.compile(r"[\w+/=-]{48,}")


@dataclass(frozen=True, slots=True)
class LinkDetector:
    """Detector of links that are not allowed."""

    allowed_hosts: frozenset[str] | None
    """Hosts that links may lead to, and with ``*.`` their subdomains; None for every host."""
    image_hosts: frozenset[str] | None
    """Hosts that images may come from; None for those of links."""
    finds_data: bool = True
    """Whether data in the query of a link are a violation, where its host is not allowed by name."""
    prefilter: tuple[str, ...] = (
        rf"(?:{_START})[^{_STOPS}]*",
        _ODD_SCHEME,
    )  # a stream looks back as far as a link goes
    _start: Pattern = field(init=False, repr=False, default_factory=lambda: Pattern(_START))
    _odd: Pattern = field(init=False, repr=False, default_factory=lambda: Pattern(_ODD_SCHEME))

    def find(self, text: TextAt, *, is_growing: bool) -> Iterator[Match]:
        """Yield the links that are not allowed. Of a link that may grow, nothing is known yet."""
        for start, end in self._odd.find(text, ALL):
            yield Match(start, end, SCHEME_NOT_ALLOWED)
        for start, end in self._start.find(text, ALL):
            begin = _url_start(text.text, start, end)
            found = _URL.match(text.text, begin, begin + MAX_URL_CHARS)
            if found is None or (is_growing and found.end() == len(text.text)):
                continue
            url = found[0].rstrip(".,;:!?*_")
            reason = self._reason(url, text.text[max(0, begin - _BEFORE_CHARS) : begin])
            if reason is not None:
                yield Match(begin, begin + len(url), reason)

    def _reason(self, url: str, before: str) -> str | None:
        host = host_of(url)
        is_image = _IMAGE.search(before) is not None
        is_named = self.allowed_hosts is not None and is_among(host, self.allowed_hosts)
        images = self.allowed_hosts if self.image_hosts is None else self.image_hosts
        if is_image:
            if self.finds_data and not (images is not None and is_among(host, images)) and _carries_data(url):
                return DATA_IN_LINK
            return None if images is None or is_among(host, images) else IMAGE_NOT_ALLOWED
        if self.finds_data and not is_named and _carries_data(url):
            return DATA_IN_LINK
        if _misleads(host, before):
            return MISLEADING_LINK
        return None if self.allowed_hosts is None or is_named else HOST_NOT_ALLOWED


def host_of(url: str) -> str:
    """Return the host of a link as browsers read it: lower case, in its ASCII form, without user and port."""
    found = _AUTHORITY.match(url)
    host = unquote(found[2] if found else "").rstrip(".").lower()
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host


def is_among(host: str, hosts: frozenset[str]) -> bool:
    """Return whether a host is one of some hosts, or below one that is written with ``*.``."""
    if host in hosts:
        return True
    parts = host.split(".")[-10:]
    return any(f"*.{'.'.join(parts[at:])}" in hosts for at in range(1, len(parts)))


def _url_start(text: str, start: int, end: int) -> int:
    """Return where the link begins in a match of `_START`, which may begin with what stands before it."""
    found = text[start:end]
    for mark in ("/", "\\"):
        if found.endswith(mark * 2):
            return end - 2
    return start


def _carries_data(url: str) -> bool:
    """Return whether a link has a long value in its path or query, as one has that carries data away."""
    host_end = _AUTHORITY.match(url)
    tail = url[host_end.end() :] if host_end else ""
    query = unquote(tail.partition("?")[2]).replace("+", " ")
    if any(len(value.split()) >= 4 for value in query.split("&")):
        return True
    return _LONG_VALUE.search(tail) is not None and any(each.isdigit() for each in tail)


def _misleads(host: str, before: str) -> bool:
    """Return whether the words of a link name another host than it leads to."""
    label = _LABEL.search(before)
    named = _NAME_IN_LABEL.match(label[1].strip()) if label else None
    if named is None:
        return False
    shown = named[1].lower().removeprefix("www.")
    return host.removeprefix("www.") != shown and not host.endswith(f".{shown}")


def read_hosts(hosts: Sequence[str] | None) -> frozenset[str] | None:
    """Return hosts as `host_of` writes them."""
    return None if hosts is None else frozenset(_ascii(each) for each in hosts)


def _ascii(host: str) -> str:
    prefix, rest = ("*.", host[2:]) if host.startswith("*.") else ("", host)
    return prefix + host_of(f"//{rest}")
