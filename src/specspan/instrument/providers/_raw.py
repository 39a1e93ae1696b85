"""Raw responses of generated clients: what ``with_raw_response`` hands over in place of what it parsed."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

_ABOUT_THE_BYTES = frozenset(("content-length", "content-encoding", "transfer-encoding"))


def is_raw(answer: Any) -> bool:
    """Whether an answer is a raw response, of ``with_streaming_response`` too."""
    return "http_response" in getattr(answer, "__dict__", ())


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
