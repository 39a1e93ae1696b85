"""Posts of JSON to a service that decides, bounded in time and size."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from specspan._support.signed_posts import NoRedirects, is_http_url
from specspan.checks.check import CheckConfigError
from specspan.checks.foreign.verdict import InvalidVerdict

MAX_ANSWER_BYTES = 1_000_000

_injectors: list[Callable[[MutableMapping[str, str]], None]] = []


def set_propagation(inject: Callable[[MutableMapping[str, str]], None]) -> None:
    """Have ``inject`` write the headers that lead a service's own spans to the call's trace into every request."""
    _injectors[:] = [inject]


@dataclass(frozen=True, slots=True)
class JsonEndpoint:
    """Address that JSON is posted to."""

    url: str
    timeout_s: float = 10.0

    def post(self, body: bytes, headers: Mapping[str, str]) -> Any:
        """Post ``body`` and return the JSON of the answer.

        Raises:
            OSError: the service cannot be reached, is out of time or answers with a status other than 2xx.
            InvalidVerdict: its answer is too long, or not JSON.
        """
        sent = {"Content-Type": "application/json", **headers}
        for inject in _injectors:
            inject(sent)
        request = urllib.request.Request(self.url, body, sent, method="POST")  # noqa: S310 - see `json_endpoint`
        opener = urllib.request.build_opener(NoRedirects)
        with opener.open(request, timeout=self.timeout_s) as answer:
            read = answer.read(MAX_ANSWER_BYTES + 1)
        if len(read) > MAX_ANSWER_BYTES:
            raise InvalidVerdict(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
        try:
            return json.loads(read)
        except (ValueError, RecursionError):
            raise InvalidVerdict("an answer that is not JSON") from None


def json_endpoint(url: str, key: str = "url") -> JsonEndpoint:
    """Return the endpoint at ``url``.

    Raises:
        CheckConfigError: it is neither http nor https.
    """
    if not is_http_url(url):
        raise CheckConfigError(f"invalid address {url!r}", "Write an http:// or https:// URL.", key)
    return JsonEndpoint(url)
