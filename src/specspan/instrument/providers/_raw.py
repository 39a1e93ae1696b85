"""Raw responses of generated clients: what ``with_raw_response`` and ``with_streaming_response`` hand over.

The first was read and keeps what it parsed. The second was not read: a plain body is read before it is handed over, a
streamed one is watched as the application reads it (`specspan.instrument.providers._raw_events`).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from typing import Any

from specspan.instrument.providers._raw_events import EventBody, with_events

_ABOUT_THE_BYTES = frozenset(("content-length", "content-encoding", "transfer-encoding"))


def is_raw(answer: Any) -> bool:
    """Whether an answer is a raw response, of ``with_streaming_response`` too."""
    return "http_response" in getattr(answer, "__dict__", ())


def answered(answer: Any) -> Any:
    """The object that an answer is or holds; None: its body was not read."""
    if not is_raw(answer):
        return answer
    if not _left_unread(answer):
        return answer.parse()
    return answer._parse() if answer.http_response.is_closed else None


def load(answer: Any) -> Any:
    """Read a plain body that was left unread; what is returned is to be awaited where the client awaits."""
    return answer.read() if is_raw(answer) and _left_unread(answer) and not answer._is_sse_stream else None


def _left_unread(answer: Any) -> bool:
    return not hasattr(type(answer), "content")


def edited(answer: Any, edit: Callable[[Any], Any]) -> Any:
    """A copy of an answer, ``edit`` applied to its object, or in a raw response to its body."""
    return with_body(answer, edit(answer.http_response.json())) if is_raw(answer) else edit(answer)


def with_body(answer: Any, body: Any) -> Any:
    """A raw response like ``answer`` with another JSON body: what was taken out must not be read from its bytes."""
    edited = copy.copy(answer)
    edited.http_response, edited._parsed_by_type = response_of(answer.http_response, body), {}
    return edited


def response_of(before: Any, body: Any) -> Any:
    """A response of ``httpx`` like the one ``before``, with another JSON body."""
    headers = {name: value for name, value in before.headers.items() if name not in _ABOUT_THE_BYTES}
    after = type(before)(before.status_code, headers=headers, content=json.dumps(body).encode(), request=before.request)
    with suppress(RuntimeError):  # not every transport measures it
        after.elapsed = before.elapsed
    return after


def stream_in(answer: Any, kinds: tuple[type, ...]) -> Any | None:
    """The stream that an answer is, one of ``kinds``, or holds."""
    if is_raw(answer):
        if getattr(answer, "_is_sse_stream", False):
            return EventBody(answer)
        if getattr(answer, "_stream", False):
            answer = answer.parse()
    return answer if isinstance(answer, kinds) else None


@lru_cache(maxsize=16)
def stream_types(package: str) -> tuple[type, ...]:
    """The streams of a client."""
    client: Any = import_module(package)
    return client.Stream, client.AsyncStream


def put_stream(answer: Any, stream: Any) -> Any:
    """``answer``, which is a stream or a raw response, with another stream."""
    if is_raw(answer):
        if isinstance(stream, EventBody):
            return with_events(answer, stream)
        answer._parsed_by_type[answer._cast_to] = stream
        return answer
    return stream
