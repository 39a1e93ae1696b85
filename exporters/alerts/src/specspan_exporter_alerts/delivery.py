"""Delivery of JSON by POST: a few short attempts, never to another address than the configured one."""

from __future__ import annotations

import logging
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

from specspan._support.signed_posts import NoRedirects, is_http_url
from specspan.errors import ConfigurationError, Problem

_log = logging.getLogger("specspan_exporter_alerts")
_TIMEOUT_S = 5.0
RETRY_DELAYS_S = (0.2, 0.8)


class Delivery:
    """Sender to one address. While the address fails, each message is tried once, so that none waits for an outage."""

    def __init__(self, url: str, retry_delays_s: tuple[float, ...] = RETRY_DELAYS_S) -> None:
        self._url = url
        self._retry_delays_s = retry_delays_s
        self._is_failing = False
        self._opener = urllib.request.build_opener(NoRedirects)

    def post(self, body: bytes, headers: Callable[[], Mapping[str, str]] = dict) -> bool:
        """Post ``body`` and return whether it arrived. ``headers`` is called anew for each attempt."""
        problem: str | None = None
        for delay_s in (0.0,) if self._is_failing else (0.0, *self._retry_delays_s):
            threading.Event().wait(delay_s)
            problem, may_retry = self._attempt(body, headers())
            if problem is None:
                self._is_failing = False
                return True
            if not may_retry:
                break
        if not self._is_failing:  # once an outage
            _log.warning("alerts do not reach %s: %s", _without_secrets(self._url), problem)
        self._is_failing = True
        return False

    def _attempt(self, body: bytes, headers: Mapping[str, str]) -> tuple[str | None, bool]:
        request = urllib.request.Request(  # noqa: S310 - `check_url` lets http and https alone pass
            self._url, body, {"Content-Type": "application/json", **headers}, method="POST"
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S):
                return None, False
        except urllib.error.HTTPError as error:
            error.close()
            return f"it answered {error.code}", error.code >= 500 or error.code in (408, 429)
        except (OSError, ValueError) as error:
            return repr(error), True


def check_url(url: str | None, variable: str) -> str:
    """Return ``url``, where it is valid.

    Raises:
        ConfigurationError: the URL is missing, or neither http nor https; ``variable`` is named.
    """
    if url and is_http_url(url):
        return url
    problem = Problem(f"invalid address {url!r}", "Set it to an http:// or https:// URL.")
    raise ConfigurationError(variable, problem)


def _without_secrets(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
