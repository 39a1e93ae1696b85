"""Bodies in which a text follows a text: Titan, Llama, Mistral, Cohere's Command, and Claude before it had messages.

Their makers have different words for the same few things, and the same words in an answer as in a piece of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Media, Request, Response, Text, ToolCall, ToolCallResponse, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import Path, Place, Turn, put_at, with_places, with_turns
from specspan.instrument.formats.fields import Fields, count, fields, finish_reason, listed, not_understood, word

_PROMPT = ("prompt", "inputText", "message")
_CHOICES = ("results", "outputs", "generations")
_TEXT = ("outputText", "text", "generation", "completion")
_REASON = ("completionReason", "stop_reason", "finish_reason")
_ID = ("response_id", "id", "generation_id")
_INPUT = ("inputTextTokenCount", "prompt_token_count")
_OUTPUT = ("totalOutputTextTokenCount", "generation_token_count")
_ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
_SAYS_NOTHING = frozenset(("embedding", "embeddings", "embeddingsByType", "event_type", "is_finished"))


def turns(body: Fields) -> list[Turn]:
    """What is sent: what was said before, and what is said now."""
    found = [_before(fields(said), i) for i, said in enumerate(listed(body.get("chat_history")))]
    found += [Turn("user", ((Text(body[name]), put_at(name)),)) for name in _PROMPT if isinstance(body.get(name), str)]
    results = [ToolCallResponse(fields(each).get("outputs")) for each in listed(body.get("tool_results"))]
    texts = [(Text(each), put_at("texts", i)) for i, each in enumerate(listed(body.get("texts")))]
    found += [Turn("tool", tuple((result, None) for result in results))] if results else []
    return found + ([Turn("user", tuple(texts))] if texts else [])


def _before(said: Fields, i: int) -> Turn:
    role, text = word(said.get("role")) or "", word(said.get("message")) or ""
    return Turn(_ROLES.get(role, role.lower()), ((Text(text), put_at("chat_history", i, "message")),))


def system(body: Fields) -> list[Place]:
    """The system's instructions."""
    preamble = word(body.get("preamble"))
    return [(Text(preamble), put_at("preamble"))] if preamble else []


def edit_request(body: Any, edits: Edits) -> Any:
    """A copy of what is sent with other texts."""
    edited = with_turns(body, turns(body), "input", edits)
    return with_places(edited, system(body), "/system_instructions/", edits)


def response(body: Fields) -> Response:
    """An answer."""
    reasons = [finish_reason(_first(item, _REASON)) for _, item in _choices(body)]
    answers = zip(_answers(body), reasons)  # noqa: B905 - as many
    return Response(
        id=word(_first(body, _ID)),
        output=tuple([turn.message(reason) for turn, reason in answers if turn.places or reason]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=_usage(body),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """A copy of an answer with other texts. What repeats or cites them does so no longer."""
    edited = with_turns(body, _answers(body), "output", edits)
    if isinstance(history := body.get("chat_history"), list):
        before, after = body.get("text"), edited.get("text")
        told = [put_at("message")(said, after) if fields(said).get("message") == before else said for said in history]
        edited = {**edited, "chat_history": told}
    return {**edited, "citations": []} if "citations" in body else edited


def _answers(body: Fields) -> Iterator[Turn]:
    for at, item in _choices(body):
        yield Turn("assistant", tuple(_places(item, at)))


def _choices(body: Fields) -> list[tuple[Path, Fields]]:
    """The choices of an answer, or of a piece of one, and where they stand in it: it may be one itself."""
    for name in _CHOICES:
        if name in body:
            return [((name, i), fields(item)) for i, item in enumerate(listed(body[name]))]
    return [((), body)]


def _places(item: Fields, at: Path) -> Iterator[Place]:
    for name in _TEXT:
        if text := item.get(name):
            yield Text(word(text) or ""), put_at(*at, name)
            break
    else:
        if _SAYS_NOTHING.isdisjoint(item) and not _first(item, (*_REASON, "tool_calls", "images")):
            not_understood()
    for call in map(fields, listed(item.get("tool_calls"))):
        yield ToolCall(word(call.get("name")) or "", call.get("parameters")), None
    for _ in listed(item.get("images")):
        yield Media("image"), None


def _usage(body: Fields) -> Usage:
    counts = [fields(each).get("tokenCount") for each in listed(body.get("results"))]
    written = sum(each for each in counts if isinstance(each, int)) if counts else _first(body, _OUTPUT)
    return Usage(count(_first(body, _INPUT)), count(written))


def _first(said: Fields, names: tuple[str, ...]) -> Any:
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
        for number, item in _numbered(piece):
            self._choices.setdefault(number, []).append(word(_first(item, _TEXT)) or "")
            if (reason := _first(item, _REASON)) is not None:
                self._reasons.setdefault(number, reason)
        for said in (fields(piece.get("response")), piece):
            self._rest.update({name: said[name] for name in _KEPT if said.get(name) is not None})

    def result(self) -> dict[str, Any]:
        choices = [
            {"text": "".join(texts), "finish_reason": self._reasons.get(number)}
            for number, texts in sorted(self._choices.items())
        ]
        if choices and "tool_calls" in self._rest:
            choices[0]["tool_calls"] = self._rest["tool_calls"]
        return {**self._rest, "generations": choices}


_KEPT = (*_ID, *_INPUT, *_OUTPUT, "tool_calls")


def _numbered(piece: Fields) -> Iterator[tuple[int, Fields]]:
    """The choices in a piece. Titan numbers pieces, Cohere its answers, both by the name of index."""
    for at, item in _choices(piece):
        number = at[1] if at else (piece.get("index") if "is_finished" in piece else 0)
        yield number if isinstance(number, int) else 0, item


def deltas(piece: Fields) -> Iterator[tuple[int, str]]:
    """The text in a piece, by choice."""
    for number, item in _numbered(piece):
        text = _first(item, _TEXT)
        if isinstance(text, str) and text:
            yield number, text


def cut(piece: Any, choice: int, text: str) -> Any:
    """A last piece: the text for one choice and none for the others, and the reason that clients know for it."""
    for number, (at, item) in zip([number for number, _ in _numbered(piece)], _choices(piece), strict=True):
        key = next((name for name in _REASON if name in item), "finish_reason")
        for name in _TEXT:
            if item.get(name):
                piece = put_at(*at, name)(piece, text if number == choice else "")
        piece = put_at(*at, key)(piece, "CONTENT_FILTERED")
    return {**piece, "is_finished": True} if "is_finished" in piece else piece
