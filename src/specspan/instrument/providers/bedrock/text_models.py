"""InvokeModel bodies of text completion: Titan, Llama, Mistral, Cohere's Command, and Claude's older API.

The makers name the same few fields differently, and use the same names in a response as in a piece of a stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Media, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import EditablePart, JsonPath, Turn, edit_parts, edit_turns, replace_at
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import (
    Fields,
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
)

_PROMPT_FIELDS = ("prompt", "inputText", "message")
_CHOICE_FIELDS = ("results", "outputs", "generations")
_TEXT_FIELDS = ("outputText", "text", "generation", "completion")
_REASON_FIELDS = ("completionReason", "stop_reason", "finish_reason")
_ID_FIELDS = ("response_id", "id", "generation_id")
_INPUT_COUNT_FIELDS = ("inputTextTokenCount", "prompt_token_count")
_OUTPUT_COUNT_FIELDS = ("totalOutputTextTokenCount", "generation_token_count")
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_FIELDS_WITHOUT_TEXT = frozenset(("embedding", "embeddings", "embeddingsByType", "event_type", "is_finished"))


def input_turns(body: Fields) -> list[Turn]:
    """Return the turns of a request: chat history, prompt, tool results and texts."""
    turns = [_history_turn(as_mapping(message), i) for i, message in enumerate(as_list(body.get("chat_history")))]
    turns += [
        Turn("user", ((Text(body[name]), replace_at(name)),))
        for name in _PROMPT_FIELDS
        if isinstance(body.get(name), str)
    ]
    results = [ToolCallResponse(as_mapping(each).get("outputs")) for each in as_list(body.get("tool_results"))]
    texts = [(Text(each), replace_at("texts", i)) for i, each in enumerate(as_list(body.get("texts")))]
    turns += [Turn("tool", tuple((result, None) for result in results))] if results else []
    return turns + ([Turn("user", tuple(texts))] if texts else [])


def _history_turn(message: Fields, i: int) -> Turn:
    role, text = as_str(message.get("role")) or "", as_str(message.get("message")) or ""
    return Turn(_ROLES.get(role, role.lower()), ((Text(text), replace_at("chat_history", i, "message")),))


def system_parts(body: Fields) -> list[EditablePart]:
    """Return the system instructions of a request."""
    preamble = as_str(body.get("preamble"))
    return [(Text(preamble), replace_at("preamble"))] if preamble else []


def edit_request(body: Any, edits: Edits) -> Any:
    """Return a copy of a request body with edited texts."""
    edited = edit_turns(body, input_turns(body), "input", edits)
    return edit_parts(edited, system_parts(body), "/system_instructions/", edits)


def read_response(body: Fields) -> Response:
    """Read a response body."""
    reasons = [as_finish_reason(_first_value(item, _REASON_FIELDS)) for _, item in _locate_choices(body)]
    answers = zip(_output_turns(body), reasons)  # noqa: B905 - as many
    return Response(
        id=as_str(_first_value(body, _ID_FIELDS)),
        output=tuple([turn.to_message(reason) for turn, reason in answers if turn.parts or reason]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=_read_usage(body),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """Return a copy of a response body with edited texts, without fields that repeat or cite them."""
    edited = edit_turns(body, _output_turns(body), "output", edits)
    if isinstance(history := body.get("chat_history"), list):
        before, after = body.get("text"), edited.get("text")
        history_after = [
            replace_at("message")(item, after) if as_mapping(item).get("message") == before else item
            for item in history
        ]
        edited = {**edited, "chat_history": history_after}
    return {**edited, "citations": []} if "citations" in body else edited


def _output_turns(body: Fields) -> Iterator[Turn]:
    for at, item in _locate_choices(body):
        yield Turn("assistant", tuple(_choice_parts(item, at)))


def _locate_choices(body: Fields) -> list[tuple[JsonPath, Fields]]:
    """Return the choices of a response or a piece, with their paths; a body may itself be the choice."""
    for name in _CHOICE_FIELDS:
        if name in body:
            return [((name, i), as_mapping(item)) for i, item in enumerate(as_list(body[name]))]
    return [((), body)]


def _choice_parts(item: Fields, at: JsonPath) -> Iterator[EditablePart]:
    for name in _TEXT_FIELDS:
        if text := item.get(name):
            yield Text(as_str(text) or ""), replace_at(*at, name)
            break
    else:
        if _FIELDS_WITHOUT_TEXT.isdisjoint(item) and not _first_value(item, (*_REASON_FIELDS, "tool_calls", "images")):
            count_not_understood()
    for call in map(as_mapping, as_list(item.get("tool_calls"))):
        yield ToolCall(as_str(call.get("name")) or "", call.get("parameters")), None
    for _ in as_list(item.get("images")):
        yield Media("image"), None


def _read_usage(body: Fields) -> Usage:
    counts = [as_mapping(each).get("tokenCount") for each in as_list(body.get("results"))]
    written = (
        sum(each for each in counts if isinstance(each, int)) if counts else _first_value(body, _OUTPUT_COUNT_FIELDS)
    )
    return Usage(as_count(_first_value(body, _INPUT_COUNT_FIELDS)), as_count(written))


def _first_value(fields: Fields, names: tuple[str, ...]) -> Any:
    """Return the first value that is not None under the given names."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


_HEADER_FIELDS = (*_ID_FIELDS, *_INPUT_COUNT_FIELDS, *_OUTPUT_COUNT_FIELDS, "tool_calls")


class TextAccumulator:
    """Accumulator that builds a response body from the pieces of a stream.

    Token counts are cumulative: the last value of each is the total.
    """

    __slots__ = ("_choices", "_ended", "_reasons", "_rest")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._choices: dict[int, list[str]] = {}
        self._reasons: dict[int, Any] = {}
        self._rest: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return self._ended.are_all_of(len(self._choices))

    def add(self, piece: Fields) -> None:
        for number, item in _number_choices(piece):
            text = as_str(_first_value(item, _TEXT_FIELDS)) or ""
            self._choices.setdefault(number, []).append(text)
            if reason := _first_value(item, _REASON_FIELDS):
                if self._ended.end(number):
                    self._reasons[number] = reason
            elif text or "tool_calls" in piece:
                self._ended.reopen(number)
        for fields in (as_mapping(piece.get("response")), piece):
            self._rest.update({name: fields[name] for name in _HEADER_FIELDS if fields.get(name) is not None})

    def result(self) -> dict[str, Any]:
        choices = [
            {"text": "".join(texts), "finish_reason": self._reasons.get(number)}
            for number, texts in sorted(self._choices.items())
        ]
        if choices and "tool_calls" in self._rest:
            choices[0]["tool_calls"] = self._rest["tool_calls"]
        return {**self._rest, "generations": choices}


def _number_choices(piece: Fields) -> Iterator[tuple[int, Fields]]:
    """Yield the choices in a piece, numbered.

    Titan's ``index`` numbers pieces, and Cohere's numbers answers.
    """
    for at, item in _locate_choices(piece):
        number = at[1] if at else (piece.get("index") if "is_finished" in piece else 0)
        yield number if isinstance(number, int) else 0, item


def deltas(piece: Fields) -> Iterator[tuple[int, str]]:
    """Yield the text in a piece by choice."""
    for number, item in _number_choices(piece):
        text = _first_value(item, _TEXT_FIELDS)
        if isinstance(text, str) and text:
            yield number, text


def cut(piece: Any, choice: int, text: str) -> Any:
    """Return the last piece of a cut stream: ``text`` for one choice, no text for others, and a known reason."""
    for number, (at, item) in zip(
        [number for number, _ in _number_choices(piece)], _locate_choices(piece), strict=True
    ):
        key = next((name for name in _REASON_FIELDS if name in item), "finish_reason")
        for name in _TEXT_FIELDS:
            if item.get(name):
                piece = replace_at(*at, name)(piece, text if number == choice else "")
        piece = replace_at(*at, key)(piece, "CONTENT_FILTERED")
    return {**piece, "is_finished": True} if "is_finished" in piece else piece
