"""Raw responses of generated clients: what ``with_raw_response`` hands over in place of what it parsed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_ABOUT_THE_BYTES = frozenset(("content-length", "content-encoding", "transfer-encoding"))


def is_raw(answer: Any) -> bool:
    """Whether an answer is a raw response, of ``with_streaming_response`` too."""
    return "http_response" in getattr(answer, "__dict__", ())


def answered(answer: Any) -> Any:
    """The object that an answer is or holds; None: its body is not read yet, and not ours to read."""
    if not is_raw(answer):
        return answer
    return answer.parse() if hasattr(type(answer), "content") else None  # a raw response keeps what it parsed


def edited(answer: Any, edit: Callable[[Any], Any]) -> Any:
    """A copy of an answer, ``edit`` applied to its object, or in a raw response to its body."""
    return with_body(answer, edit(answer.http_response.json())) if is_raw(answer) else edit(answer)


def with_body(answer: Any, body: Any) -> Any:
    """A raw response like ``answer`` with another JSON body: what was taken out must not be read from its bytes."""
    before = answer.http_response
    headers = {name: value for name, value in before.headers.items() if name not in _ABOUT_THE_BYTES}
    after = type(before)(before.status_code, headers=headers, content=json.dumps(body).encode(), request=before.request)
    with suppress(RuntimeError):  # not every transport measures it
        after.elapsed = before.elapsed
    edited = copy.copy(answer)
    edited.http_response, edited._parsed_by_type = after, {}
    return edited


def put_stream(answer: Any, stream: Any) -> Any:
    """``answer``, which is a stream or a raw response that keeps what it parsed, with another stream."""
    if is_raw(answer):
        answer._parsed_by_type[answer._cast_to] = stream
        return answer
    return stream
