"""Bodies in which a text follows a text: Titan, Llama, Mistral, Cohere's Command, and Claude before it had messages.

Their makers have different words for the same few things, and the same words in an answer as in a piece of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Media, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import EditablePart, JsonPath, Turn, edit_parts, edit_turns, replace_at
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
    """What is sent: what was said before, and what is said now."""
    found = [_history_turn(as_mapping(said), i) for i, said in enumerate(as_list(body.get("chat_history")))]
    found += [
        Turn("user", ((Text(body[name]), replace_at(name)),))
        for name in _PROMPT_FIELDS
        if isinstance(body.get(name), str)
    ]
    results = [ToolCallResponse(as_mapping(each).get("outputs")) for each in as_list(body.get("tool_results"))]
    texts = [(Text(each), replace_at("texts", i)) for i, each in enumerate(as_list(body.get("texts")))]
    found += [Turn("tool", tuple((result, None) for result in results))] if results else []
    return found + ([Turn("user", tuple(texts))] if texts else [])


def _history_turn(said: Fields, i: int) -> Turn:
    role, text = as_str(said.get("role")) or "", as_str(said.get("message")) or ""
    return Turn(_ROLES.get(role, role.lower()), ((Text(text), replace_at("chat_history", i, "message")),))


def system_parts(body: Fields) -> list[EditablePart]:
    """The system's instructions."""
    preamble = as_str(body.get("preamble"))
    return [(Text(preamble), replace_at("preamble"))] if preamble else []


def edit_request(body: Any, edits: Edits) -> Any:
    """A copy of what is sent with other texts."""
    edited = edit_turns(body, input_turns(body), "input", edits)
    return edit_parts(edited, system_parts(body), "/system_instructions/", edits)


def read_response(body: Fields) -> Response:
    """An answer."""
    reasons = [as_finish_reason(_first_value(item, _REASON_FIELDS)) for _, item in _locate_choices(body)]
    answers = zip(_output_turns(body), reasons)  # noqa: B905 - as many
    return Response(
        id=as_str(_first_value(body, _ID_FIELDS)),
        output=tuple([turn.to_message(reason) for turn, reason in answers if turn.parts or reason]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=_read_usage(body),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """A copy of an answer with other texts. What repeats or cites them does so no longer."""
    edited = edit_turns(body, _output_turns(body), "output", edits)
    if isinstance(history := body.get("chat_history"), list):
        before, after = body.get("text"), edited.get("text")
        told = [
            replace_at("message")(said, after) if as_mapping(said).get("message") == before else said
            for said in history
        ]
        edited = {**edited, "chat_history": told}
    return {**edited, "citations": []} if "citations" in body else edited


def _output_turns(body: Fields) -> Iterator[Turn]:
    for at, item in _locate_choices(body):
        yield Turn("assistant", tuple(_choice_parts(item, at)))


def _locate_choices(body: Fields) -> list[tuple[JsonPath, Fields]]:
    """The choices of an answer, or of a piece of one, and where they stand in it: it may be one itself."""
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


def _first_value(said: Fields, names: tuple[str, ...]) -> Any:
    """What stands under the first of these names that there is anything under."""
    return next((said[name] for name in names if said.get(name) is not None), None)


class TextAccumulator:
    """Folds pieces into what stands for an answer. Counts are cumulative: the last one said of each holds."""

    __slots__ = ("_choices", "_expected", "_reasons", "_rest")

    def __init__(self, request: Request) -> None:
        expected = request.parameters.get("choice.count", 1)
        self._expected = expected if isinstance(expected, int) else 1
        self._choices: dict[int, list[str]] = {}
        self._reasons: dict[int, Any] = {}
        self._rest: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return len(self._reasons) >= self._expected

    def add(self, piece: Fields) -> None:
        for number, item in _number_choices(piece):
            self._choices.setdefault(number, []).append(as_str(_first_value(item, _TEXT_FIELDS)) or "")
            if (reason := _first_value(item, _REASON_FIELDS)) is not None:
                self._reasons.setdefault(number, reason)
        for said in (as_mapping(piece.get("response")), piece):
            self._rest.update({name: said[name] for name in _HEADER_FIELDS if said.get(name) is not None})

    def result(self) -> dict[str, Any]:
        choices = [
            {"text": "".join(texts), "finish_reason": self._reasons.get(number)}
            for number, texts in sorted(self._choices.items())
        ]
        if choices and "tool_calls" in self._rest:
            choices[0]["tool_calls"] = self._rest["tool_calls"]
        return {**self._rest, "generations": choices}


_HEADER_FIELDS = (*_ID_FIELDS, *_INPUT_COUNT_FIELDS, *_OUTPUT_COUNT_FIELDS, "tool_calls")


def _number_choices(piece: Fields) -> Iterator[tuple[int, Fields]]:
    """The choices in a piece. Titan numbers pieces, Cohere its answers, both by the name of index."""
    for at, item in _locate_choices(piece):
        number = at[1] if at else (piece.get("index") if "is_finished" in piece else 0)
        yield number if isinstance(number, int) else 0, item


def deltas(piece: Fields) -> Iterator[tuple[int, str]]:
    """The text in a piece, by choice."""
    for number, item in _number_choices(piece):
        text = _first_value(item, _TEXT_FIELDS)
        if isinstance(text, str) and text:
            yield number, text


def cut(piece: Any, choice: int, text: str) -> Any:
    """A last piece: the text for one choice and none for the others, and the reason that clients know for it."""
    for number, (at, item) in zip(
        [number for number, _ in _number_choices(piece)], _locate_choices(piece), strict=True
    ):
        key = next((name for name in _REASON_FIELDS if name in item), "finish_reason")
        for name in _TEXT_FIELDS:
            if item.get(name):
                piece = replace_at(*at, name)(piece, text if number == choice else "")
        piece = replace_at(*at, key)(piece, "CONTENT_FILTERED")
    return {**piece, "is_finished": True} if "is_finished" in piece else piece
