"""Bodies of InvokeModel in the shape of OpenAI's chat completions: gpt-oss, DeepSeek, Mistral's chat models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Response
from specspan.instrument.adapter import Edits
from specspan.instrument.formats import openai_chat as _chat_stream
from specspan.instrument.formats.fields import Fields, fields, finish_reason, listed, not_understood, word
from specspan.instrument.formats.openai_chat import message_of, with_texts
from specspan.instrument.providers.openai.client import usage_of


def response(body: Fields) -> Response:
    """An answer."""
    choices = [fields(choice) for choice in listed(body.get("choices"))]
    reasons = [_reason(choice) for choice in choices]
    return Response(
        id=word(body.get("id")),
        model=word(body.get("model")),
        output=tuple([message_of(_message(each), reason) for each, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=usage_of(body.get("usage"), "prompt", "completion"),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """A copy of an answer with other texts."""
    edited = with_texts([_message(fields(choice)) for choice in body["choices"]], "output", edits)
    return {
        **body,
        "choices": [_with(choice, message) for choice, message in zip(body["choices"], edited, strict=True)],
    }


def _message(choice: Fields) -> Any:
    """What a choice says: DeepSeek has just a text."""
    return {"content": choice["text"]} if "text" in choice else choice.get("message")


def _with(choice: Any, message: Any) -> Any:
    return {**choice, "text": message["content"]} if "text" in choice else {**choice, "message": message}


def _reason(choice: Fields) -> str | None:
    return finish_reason(choice.get("finish_reason") or choice.get("stop_reason"))


class _Piece(dict[str, Any]):
    """JSON with the attributes of a client's object; what was not sent is None."""

    __getattr__ = dict.get


class Accumulator(_chat_stream.ChatAccumulator):
    """Folds pieces into what stands for an answer."""

    def add(self, chunk: Any) -> None:
        super().add(_piece(chunk))


def _piece(chunk: Fields) -> Any:
    """A chunk in the words of OpenAI, and of the types that they have there."""
    choices = [
        _Piece(
            index=_place(choice), delta=_delta(fields(choice.get("delta") or _message(choice))), finish_reason=reason
        )
        for choice in map(fields, listed(chunk.get("choices")))
        for reason in [choice.get("finish_reason") or choice.get("stop_reason")]
    ]
    return _Piece(id=word(chunk.get("id")), model=word(chunk.get("model")), usage=chunk.get("usage"), choices=choices)


def _delta(said: Fields) -> _Piece:
    calls = [
        _Piece(
            index=_place(call), id=word(call.get("id")), function=_Piece({name: word(made.get(name)) for name in made})
        )
        for call in map(fields, listed(said.get("tool_calls")))
        for made in [fields(call.get("function"))]
    ]
    more = {"reasoning_content": word(said.get("reasoning_content"))}
    return _Piece(content=word(said.get("content")), tool_calls=calls, __pydantic_extra__=more)


def _place(said: Fields) -> int:
    index = said.get("index", 0)
    if isinstance(index, int):
        return index
    not_understood()
    return 0


def deltas(chunk: Fields) -> Iterator[tuple[int, str]]:
    """The text in a chunk, by choice."""
    return _chat_stream.deltas(_piece(chunk))


def cut(chunk: Any, choice: int, text: str) -> Any:
    """The last chunk of a stream that is cut."""
    (last,) = [each for each in chunk["choices"] if _place(fields(each)) == choice]
    delta = {"text": text} if "text" in last else {"delta": {"role": "assistant", "content": text}}
    reason = "stop_reason" if "stop_reason" in last else "finish_reason"
    kept = {name: last[name] for name in ("index",) if name in last}
    holder = {"message": delta["delta"]} if "message" in last else delta
    return {**chunk, "choices": [{**kept, **holder, reason: "content_filter"}]}
