"""Answers that a client's errors carry, because the client could not make of them what the application asked for.

``parse`` of a client raises for an answer that was cut short or does not have the shape that was asked for. Some of
these errors have the answer in an attribute. For the others, the answer is the body of the raw response that was being
parsed, which the traceback leads to.

Any method raises for a body or an event that the client cannot read at all. Of these errors only the text is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan.call import Text, Unknown
from specspan.instrument.formats.raw_response import is_raw

_REFUSALS = frozenset(("APIResponseValidationError", "ApiError", "ParsingError", "ResponseValidationError"))
"""Errors of clients that have a body which the client refused, by their names."""
_MESSAGES_OF_REFUSAL = frozenset(("UnknownApiResponseError",))
"""Errors of clients whose message has the body."""
_MODEL_MAKERS = frozenset(
    (("google.genai._common", "_from_response"), ("ollama._client", "_request"), ("ollama._client", "inner"))
)
"""Functions in which clients make their objects of what the service sent, by module; requests are made elsewhere."""
_CONVERSIONS = frozenset(
    (("litellm.litellm_core_utils.llm_response_utils.convert_dict_to_response", "convert_to_model_response_object"),)
)
"""Functions that put the body into the message of their errors, by module."""
_MAX_CHAIN = 8
_UNDECODABLE = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class RefusedAnswer:
    """Answer, or piece of one, that a client could not read and that its error carries."""

    text: str
    """All of it that the error carries, as the service wrote it or as JSON."""

    @property
    def parts(self) -> tuple[Text | Unknown, ...]:
        """Return the text, and a part that is not understood where not all of it could be decoded."""
        return (Text(self.text), *((Unknown("body"),) if _UNDECODABLE in self.text else ()))

    @property
    def body(self) -> dict[str, Any] | None:
        """Return the answer as a JSON object; None if the text is none."""
        try:
            body = json.loads(self.text)
        except (ValueError, RecursionError):
            return None
        return body if isinstance(body, dict) else None


def refused_answer_in(error: BaseException) -> RefusedAnswer | None:
    """Return the answer that a client refused with an error; None if the error carries none.

    The body of a failed request is not an answer.
    """
    chain = list(_chain(error))
    if any(map(_is_of_failed_request, chain)):
        return None
    texts = list(dict.fromkeys(text for each in chain if (text := _refused_text(each))))
    return RefusedAnswer("\n".join(texts).replace("\0", "")) if texts else None  # zeros: UTF-16, read as UTF-8


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was made from.

    The context of an error may be one that the application handles. LiteLLM names no causes.
    """
    for _ in range(_MAX_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or (error.__context__ if _is_of_litellm(error) else None)


def _is_of_litellm(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "litellm"


def _is_of_failed_request(error: BaseException) -> bool:
    if _is_of_litellm(error) or _is_of_conversion(error):  # they have a status whatever the service answered
        return False
    status = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return isinstance(status, int) and status >= 400


def _refused_text(error: BaseException) -> str | None:
    """Return the text of an answer that one error carries."""
    if isinstance(error, json.JSONDecodeError):
        return error.doc
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode(json.detect_encoding(error.object), errors="replace")
    name = type(error).__name__
    if name in _MESSAGES_OF_REFUSAL:
        return str(error)
    if name in _REFUSALS:
        body = getattr(error, "body", None)
        return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False, default=str)
    if _is_of_conversion(error):
        return str(error) or str(getattr(error, "message", ""))
    if name == "ValidationError" and any(map(_makes_models, _frames(error.__traceback__))):
        return _refused_values(error)
    return None


def _is_of_conversion(error: BaseException) -> bool:
    return any(_place_of(frame) in _CONVERSIONS for frame in _frames(error.__traceback__))


def _makes_models(frame: FrameType) -> bool:
    return _place_of(frame) in _MODEL_MAKERS


def _place_of(frame: FrameType) -> tuple[Any, str]:
    """Return the module and the name of a function that runs."""
    return frame.f_globals.get("__name__"), frame.f_code.co_name


def _refused_values(error: Any) -> str:
    """Return the values that do not fit the client's models, as JSON."""
    values = [each.get("input") for each in error.errors(include_url=False)]
    return json.dumps(values, ensure_ascii=False, default=str)


def answer_in_error(error: BaseException) -> Any | None:
    """Return the answer that an error of a client carries; None if it carries none, or one that the client refused.

    What a client refused has another shape than an answer: its text is read.
    """
    if type(error).__name__ in _REFUSALS:
        return None
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
    except (ValueError, RuntimeError) as error:
        raise_interruption(error)
        return None
