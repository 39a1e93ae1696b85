"""Answers that a client's errors carry, because the client could not make of them what the application asked for.

``parse`` of a client raises for an answer that was cut short or does not have the shape that was asked for. Some of
these errors have the answer in an attribute. For the others, the answer is the body of the raw response that was being
parsed, which the traceback leads to.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from specspan.instrument.formats.raw_response import is_raw


def answer_in_error(error: BaseException) -> Any | None:
    """Return the answer that an error of a client carries; None if it carries none."""
    completion = getattr(error, "completion", None)
    if completion is not None:
        return completion
    for frame in _frames(error.__traceback__):
        raw: Any = frame.f_locals.get("self")
        if is_raw(raw) and raw.http_response.is_success:
            return _read_body(raw.http_response)
    return None


def answer_in_frame(error: BaseException, function: str, variable: str) -> Any | None:
    """Return what a variable of a client's function held when the function was left by an error."""
    for frame in _frames(error.__traceback__):
        if frame.f_code.co_name == function and (value := frame.f_locals.get(variable)) is not None:
            return value
    return None


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _read_body(response: Any) -> Any | None:
    """Return a JSON body; None if it was not read, or is not JSON."""
    try:
        return response.json()
    except (ValueError, RuntimeError):
        return None
