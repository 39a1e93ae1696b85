"""InvokeModel bodies of text completion: Titan, Llama, Mistral, Cohere's Command, Jurassic, and Claude's older API.

The makers name the same few fields differently, and use the same names in a response as in a piece of a stream.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Media, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import (
    EditablePart,
    JsonPath,
    Turn,
    edit_parts,
    edit_turns,
    replace_at,
    replace_value,
)
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import (
    Fields,
    as_count,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    list_or_item,
    read_name,
    read_text,
    text_part,
    unknown_part,
)
from specspan.instrument.formats.known_bodies import CHOICE_FIELDS, TEXT_FIELDS

_PROMPT_FIELDS = ("prompt", "inputText", "message")
_REASON_FIELDS = ("completionReason", "stop_reason", "finish_reason", "finishReason")
_ID_FIELDS = ("response_id", "id", "generation_id")
_INPUT_COUNT_FIELDS = ("inputTextTokenCount", "prompt_token_count")
_OUTPUT_COUNT_FIELDS = ("totalOutputTextTokenCount", "generation_token_count")
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_FIELDS_WITHOUT_TEXT = frozenset(
    ("embedding", "embeddings", "embeddingsByType", "event_type", "is_finished", "relevance_score", "artifacts")
)
_UNREAD_PIECES = "unread_pieces"
"""Field in which the accumulator notes that a piece of a choice could not be read."""


def input_turns(body: Fields) -> list[Turn]:
    """Return the turns of a request: chat history, prompt, tool results and texts."""
    turns = [_history_turn(as_mapping(message), i) for i, message in enumerate(as_list(body.get("chat_history")))]
    turns += [
        Turn("user", ((Text(body[name]), replace_at(name)),))
        for name in _PROMPT_FIELDS
        if isinstance(body.get(name), str)
    ]
    results = [ToolCallResponse(as_mapping(each).get("outputs")) for each in as_list(body.get("tool_results"))]
    texts = [(text_part(each, "texts"), replace_at("texts", i)) for i, each in enumerate(as_list(body.get("texts")))]
    turns += [Turn("tool", tuple((result, None) for result in results))] if results else []
    turns += [Turn("user", tuple(texts))] if texts else []
    return turns or ([Turn("user", ((unknown_part("body"), None),))] if body and not system_parts(body) else [])


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
    reasons = [as_finish_reason(_read_reason(item)) for _, item in _locate_choices(body)]
    answers = zip(_output_turns(body), reasons)  # noqa: B905 - as many
    return Response(
        id=_read_id(body),
        model=as_str(body.get("model")),
        output=tuple([turn.to_message(reason) for turn, reason in answers if turn.parts or reason]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=_read_usage(body),
    )


def _read_reason(item: Fields) -> Any:
    """Return why a choice ended; Jurassic's reason is an object."""
    reason = _first_value(item, _REASON_FIELDS)
    return reason.get("reason") if isinstance(reason, Mapping) else reason


def _read_id(body: Fields) -> str | None:
    number = _first_value(body, _ID_FIELDS)
    return str(number) if number.__class__ is int else as_str(number)


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
    for name in CHOICE_FIELDS:
        if name in body:
            return [((name, i), as_mapping(item)) for i, item in enumerate(list_or_item(body[name] or ()))]
    return [((), body)]


def _choice_parts(item: Fields, at: JsonPath) -> Iterator[EditablePart]:
    path, text = _locate_text(item)
    if text is not None or item.get(_UNREAD_PIECES):
        if text:
            yield text_part(text, path[-1]), partial(_replace_text, (*at, *path))
        if item.get(_UNREAD_PIECES):
            yield unknown_part(path[-1]), None
    elif _FIELDS_WITHOUT_TEXT.isdisjoint(item) and not _first_value(item, (*_REASON_FIELDS, "tool_calls", "images")):
        yield unknown_part("body"), None
    for call in map(as_mapping, as_list(item.get("tool_calls"))):
        yield ToolCall(read_name(call.get("name")), call.get("parameters")), None
    for _ in as_list(item.get("images")):
        yield Media("image"), None


def _locate_text(item: Fields) -> tuple[tuple[str, ...], Any]:
    """Return the text of a choice with its path; Jurassic's choices hold it in an object of their own."""
    for name in TEXT_FIELDS:
        if item.get(name):
            return (name,), item[name]
    data = item.get("data")
    if isinstance(data, Mapping) and "text" in data:
        return ("data", "text"), data["text"]
    return (TEXT_FIELDS[1],), _first_value(item, TEXT_FIELDS)


def _replace_text(at: JsonPath, body: Any, text: str) -> Any:
    edited = replace_at(*at)(body, text)
    if at[-2:] != ("data", "text"):
        return edited
    return replace_value(edited, (*at[:-1], "tokens"), [])  # the tokens repeat the text


def _read_usage(body: Fields) -> Usage:
    results = as_list(body.get("results"))
    counts = [as_count(as_mapping(each).get("tokenCount")) for each in results]
    known = [each for each in counts if each is not None]
    if counts and len(known) == len(counts):
        written: int | None = sum(known)
    else:
        written = as_count(_first_value(body, _OUTPUT_COUNT_FIELDS))
    return Usage(as_count(_first_value(body, _INPUT_COUNT_FIELDS)), written)


def _first_value(fields: Fields, names: tuple[str, ...]) -> Any:
    """Return the first value that is not None under the given names."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _is_known_piece(item: Fields) -> bool:
    """Return whether a piece without text is one of the kinds that have none."""
    known = (*TEXT_FIELDS, *_REASON_FIELDS, *_HEADER_FIELDS, *_FIELDS_WITHOUT_TEXT, "data")
    return not item or any(name in item for name in known)


_HEADER_FIELDS = (*_ID_FIELDS, *_INPUT_COUNT_FIELDS, *_OUTPUT_COUNT_FIELDS, "tool_calls")


class TextAccumulator:
    """Accumulator that builds a response body from the pieces of a stream.

    Token counts are cumulative: the last value of each is the total.
    """

    __slots__ = ("_choices", "_ended", "_reasons", "_rest", "_unread_choices")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._choices: defaultdict[int, TextPieces] = defaultdict(TextPieces)
        self._unread_choices: set[int] = set()
        self._reasons: dict[int, Any] = {}
        self._rest: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return self._ended.are_all_of(len(self._choices))

    def add(self, piece: Fields) -> None:
        for number, item in _number_choices(piece):
            text = self._read_piece(number, item)
            self._choices[number].write(text)
            if reason := _read_reason(item):
                if self._ended.end(number):
                    self._reasons[number] = reason
            elif text or "tool_calls" in piece:
                self._ended.reopen(number)
        for fields in (as_mapping(piece.get("response")), piece):
            self._rest.update({name: fields[name] for name in _HEADER_FIELDS if fields.get(name) is not None})

    def _read_piece(self, number: int, item: Fields) -> str:
        """Return the text in a piece of a choice, and note a piece that holds something else."""
        _, value = _locate_text(item)
        text = read_text(value)
        if value is not None and not isinstance(value, str):
            count_not_understood()
        if (text is None and value) or (value is None and not _is_known_piece(item)):
            self._unread_choices.add(number)
        return text or ""

    def result(self) -> dict[str, Any]:
        choices = [
            {
                "text": written.getvalue(),
                "finish_reason": self._reasons.get(number),
                _UNREAD_PIECES: number in self._unread_choices,
            }
            for number, written in sorted(self._choices.items())
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
        text = read_text(_locate_text(item)[1])
        if text:
            yield number, text


def cut(piece: Any, choice: int, text: str) -> Any:
    """Return the last piece of a cut stream: ``text`` for one choice, no text for others, and a known reason."""
    for number, (at, item) in zip(
        [number for number, _ in _number_choices(piece)], _locate_choices(piece), strict=True
    ):
        key = next((name for name in _REASON_FIELDS if name in item), "finish_reason")
        path, value = _locate_text(item)
        if value:
            piece = _replace_text((*at, *path), piece, text if number == choice else "")
        elif number == choice:
            name = next((each for each in TEXT_FIELDS if each in item), path[-1])
            piece = replace_at(*at, name)(piece, text)
        piece = replace_at(*at, key)(piece, "CONTENT_FILTERED")
    return {**piece, "is_finished": True} if "is_finished" in piece else piece
