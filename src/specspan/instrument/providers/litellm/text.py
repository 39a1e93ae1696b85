"""LiteLLM's text completions: a text goes in, and its continuations come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from specspan.call import Message, Request, Response, Text
from specspan.instrument.adapter import Edits, Invocation
from specspan.instrument.formats.fields import Fields, as_finish_reason, as_list, as_mapping, as_str, cleared, copy_with
from specspan.instrument.providers.openai.chat import read_parameters
from specspan.instrument.providers.openai.client import Service, read_usage
from specspan.instrument.providers.openai.embeddings import edit_request as edit_texts
from specspan.instrument.providers.openai.embeddings import read_messages

OPERATION = "text_completion"


def build_request(invocation: Invocation, service: Service) -> Request:
    """What a service is asked."""
    given = invocation.kwargs
    return Request(
        operation=OPERATION,
        model=as_str(given.get("model")),
        parameters=dict(read_parameters(given)),
        input=tuple(read_messages(given.get("prompt"))),
        streaming=bool(given.get("stream")),
        **service,
    )


def edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    """The same call with another prompt."""
    return edit_texts(invocation, edits, "prompt")


def read_response(answer: Any) -> Response | None:
    """What was answered."""
    said = as_mapping(answer)
    choices = [as_mapping(choice) for choice in as_list(said.get("choices"))]
    reasons = [as_finish_reason(choice.get("finish_reason")) for choice in choices]
    return Response(
        id=as_str(said.get("id")),
        model=as_str(said.get("model")),
        output=tuple([_read_message(choice, reason) for choice, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=read_usage(said.get("usage"), "prompt", "completion"),
    )


def _read_message(choice: Fields, reason: str | None) -> Message:
    text = as_str(choice.get("text"))
    return Message("assistant", (Text(text),) if text else (), None, reason)


def edit_response(answer: Any, edits: Edits) -> Any:
    """The same answer with other texts."""
    choices = [
        choice if text is None else copy_with(choice, text=text, **cleared(choice, "logprobs", "message"))
        for choice, text in (
            (choice, edits.get(f"/output/{i}/parts/0")) for i, choice in enumerate(as_mapping(answer)["choices"])
        )
    ]
    return copy_with(answer, choices=choices)


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
        head: Mapping[str, Any] = as_mapping(self._head)
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
    last = copy_with(cut_off, text=text, finish_reason="content_filter", **cleared(cut_off, "logprobs"))
    return copy_with(chunk, choices=[last])
