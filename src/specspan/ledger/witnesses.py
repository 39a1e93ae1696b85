"""Witnesses of a ledger in a tracing backend: spans name the place of their decision, and the last checkpoint before.

Whoever writes the ledger sends spans to a backend, and cannot take them back there. Read by Jaeger's HTTP API
(https://www.jaegertracing.io/docs/latest/architecture/apis/) or Tempo's (https://grafana.com/docs/tempo/latest/api_docs/).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from specspan.errors import ConfigurationError, Problem
from specspan.ledger.signed_note import Checkpoint

STREAM: Final = "specspan.ledger.stream"
SEQUENCE: Final = "specspan.ledger.sequence"
CHECKPOINT: Final = "specspan.ledger.checkpoint"
DECISION_ID: Final = "specspan.decision.id"
_CHECKPOINT: Final = re.compile(r"(\d{1,15}) ([A-Za-z0-9+/]{43}=)")
_TIMEOUT_S: Final = 30.0
_LIMIT: Final = 200
"""Number of traces that are asked for, of each stream and service: the latest."""
_LOOK_BACK_S: Final = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Witness:
    """Span that says where the ledger has a decision."""

    stream: str
    seq: int
    decision: str
    checkpoint: Checkpoint | None
    """Size and root of the tree before it, without a signature; None where the span has none."""


def fetch_witnesses(url: str, streams: Sequence[str]) -> list[Witness]:
    """Return what spans of the last days in a backend say about streams.

    Raises:
        ConfigurationError: the address is neither Jaeger's nor Tempo's, or does not answer.
    """
    base = url.rstrip("/")
    try:
        services = _get(f"{base}/api/services")
        found = _from_tempo(base, streams) if services is None else _from_jaeger(base, services, streams)
        return list(found)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        problem = Problem(f"no spans can be read: {error}", "Give the address of Jaeger's or Tempo's HTTP API.")
        raise ConfigurationError(url, problem) from error


def _from_jaeger(base: str, services: Any, streams: Sequence[str]) -> Iterator[Witness]:
    for stream in streams:
        for service in services["data"] or ():
            query = {
                "service": service,
                "tags": json.dumps({STREAM: stream}),
                "limit": _LIMIT,
                **_range(unit=1_000_000),
            }
            traces = _get(f"{base}/api/traces?{urlencode(query)}") or {}
            for trace in traces.get("data") or ():
                yield from _witnesses({tag["key"]: tag["value"] for tag in span["tags"]} for span in trace["spans"])


def _from_tempo(base: str, streams: Sequence[str]) -> Iterator[Witness]:
    selected = ", ".join(f'span."{name}"' for name in (SEQUENCE, CHECKPOINT, DECISION_ID))
    for stream in streams:
        search = f'{{ span."{STREAM}" = {json.dumps(stream)} }} | select({selected})'
        answer = _get(f"{base}/api/search?{urlencode({'q': search, 'limit': _LIMIT, **_range(unit=1)})}")
        if answer is None:
            raise ValueError("the address has no /api/services and no /api/search")
        for trace in answer.get("traces") or ():
            spans = [span for group in trace.get("spanSets") or () for span in group["spans"]]
            yield from _witnesses({STREAM: stream, **_tempo_attributes(span)} for span in spans)


def _tempo_attributes(span: Mapping[str, Any]) -> dict[str, Any]:
    return {each["key"]: next(iter(each["value"].values())) for each in span.get("attributes") or ()}


def _witnesses(spans: Iterable[Mapping[str, Any]]) -> Iterator[Witness]:
    for values in spans:
        if STREAM in values and SEQUENCE in values:
            stream, text = str(values[STREAM]), str(values.get(CHECKPOINT, ""))
            decision = str(values.get(DECISION_ID, ""))
            yield Witness(stream, int(values[SEQUENCE]), decision, _checkpoint(stream, text))


def _checkpoint(stream: str, text: str) -> Checkpoint | None:
    match = _CHECKPOINT.fullmatch(text)
    try:
        return None if match is None else Checkpoint(f"span/{stream}", int(match[1]), base64.b64decode(match[2]), 0, 0)
    except binascii.Error:
        return None


def _range(*, unit: int) -> dict[str, int]:
    now_s = int(time.time())
    return {"start": (now_s - _LOOK_BACK_S) * unit, "end": (now_s + 60) * unit}


def _get(url: str) -> Any:
    """Return the JSON at an address; None where there is none (404).

    Raises:
        OSError: there is no answer, or it is an error.
        ValueError: the answer is not JSON, or the address is no HTTP address.
    """
    if not url.startswith(("http://", "https://")):
        raise ValueError("only http:// and https:// addresses can be asked")
    request = urllib.request.Request(url, headers={"Accept": "application/json"})  # noqa: S310 - checked above
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            return json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                return None
            raise OSError(f"it answered {error.code}") from error
