"""LiteLLM's text completions: a text goes in, and its continuations come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from specspan.call import Message, Request, Response, Text
from specspan.instrument.adapter import Edits, Invocation
from specspan.instrument.formats.fields import Fields, changed, emptied, fields, finish_reason, listed, word
from specspan.instrument.providers.openai.chat import parameters
from specspan.instrument.providers.openai.client import Service, usage_of
from specspan.instrument.providers.openai.embeddings import edit_request as edit_texts
from specspan.instrument.providers.openai.embeddings import messages_of

OPERATION = "text_completion"


def asked(invocation: Invocation, service: Service) -> Request:
    """What a service is asked."""
    given = invocation.kwargs
    return Request(
        operation=OPERATION,
        model=word(given.get("model")),
        parameters=dict(parameters(given)),
        input=tuple(messages_of(given.get("prompt"))),
        streaming=bool(given.get("stream")),
        **service,
    )


def edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    """The same call with another prompt."""
    return edit_texts(invocation, edits, "prompt")


def response(answer: Any) -> Response | None:
    """What was answered."""
    said = fields(answer)
    choices = [fields(choice) for choice in listed(said.get("choices"))]
    reasons = [finish_reason(choice.get("finish_reason")) for choice in choices]
    return Response(
        id=word(said.get("id")),
        model=word(said.get("model")),
        output=tuple([_message(choice, reason) for choice, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=usage_of(said.get("usage"), "prompt", "completion"),
    )


def _message(choice: Fields, reason: str | None) -> Message:
    text = word(choice.get("text"))
    return Message("assistant", (Text(text),) if text else (), None, reason)


def edit_response(answer: Any, edits: Edits) -> Any:
    """The same answer with other texts."""
    choices = [
        choice if text is None else changed(choice, text=text, **emptied(choice, "logprobs", "message"))
        for choice, text in (
            (choice, edits.get(f"/output/{i}/parts/0")) for i, choice in enumerate(fields(answer)["choices"])
        )
    ]
    return changed(answer, choices=choices)


class TextAccumulator:
    """Folds chunks into what stands for a text completion."""

    __slots__ = ("_choices", "_head", "_unfinished", "_usage")

    def __init__(self, request: Request) -> None:
        count = request.parameters.get("choice.count", 1)
        self._unfinished = count if isinstance(count, int) else 1
        self._choices: dict[int, tuple[list[str], list[str]]] = {}
        self._head: Any = None
        self._usage: Any = None

    @property
    def finished(self) -> bool:
        return self._unfinished <= 0

    def add(self, chunk: Any) -> None:
        self._head = self._head or chunk
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in chunk.choices or ():
            texts, reasons = self._choices.setdefault(choice.index, ([], []))
            texts.append(choice.text or "")
            if choice.finish_reason is not None:
                self._unfinished -= not reasons
                reasons.append(choice.finish_reason)

    def result(self) -> Any:
        head: Mapping[str, Any] = fields(self._head)
        choices = [
            {"text": "".join(texts), "finish_reason": reasons[0] if reasons else None}
            for _, (texts, reasons) in sorted(self._choices.items())
        ]
        return SimpleNamespace(id=head.get("id"), model=head.get("model"), usage=self._usage, choices=choices)


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """The text in a chunk, by choice."""
    for choice in chunk.choices or ():
        if choice.text:
            yield choice.index, choice.text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """The last chunk of a stream that is cut."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    last = changed(cut_off, text=text, finish_reason="content_filter", **emptied(cut_off, "logprobs"))
    return changed(chunk, choices=[last])
