"""LiteLLM's text completions: a prompt goes in, and its continuations come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from specspan.call import Message, Request, Response, Text
from specspan.instrument.adapter import Edits, Invocation
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import Fields, as_finish_reason, as_list, as_mapping, as_str, cleared, copy_with
from specspan.instrument.providers.openai.chat import read_parameters
from specspan.instrument.providers.openai.client import Service, read_usage
from specspan.instrument.providers.openai.embeddings import edit_request as edit_texts
from specspan.instrument.providers.openai.embeddings import read_messages

OPERATION = "text_completion"


def build_request(invocation: Invocation, service: Service) -> Request:
    """Build the request of a text completion."""
    arguments = invocation.kwargs
    return Request(
        operation=OPERATION,
        model=as_str(arguments.get("model")),
        parameters=dict(read_parameters(arguments)),
        input=tuple(read_messages(arguments.get("prompt"))),
        streaming=bool(arguments.get("stream")),
        **service,
    )


def edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    """Return a copy of the call with an edited prompt."""
    return edit_texts(invocation, edits, "prompt")


def read_response(answer: Any) -> Response | None:
    """Read a text completion."""
    fields = as_mapping(answer)
    choices = [as_mapping(choice) for choice in as_list(fields.get("choices"))]
    reasons = [as_finish_reason(choice.get("finish_reason")) for choice in choices]
    return Response(
        id=as_str(fields.get("id")),
        model=as_str(fields.get("model")),
        output=tuple([_read_message(choice, reason) for choice, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=read_usage(fields.get("usage"), "prompt", "completion"),
    )


def _read_message(choice: Fields, reason: str | None) -> Message:
    text = as_str(choice.get("text"))
    return Message("assistant", (Text(text),) if text else (), None, reason)


def edit_response(answer: Any, edits: Edits) -> Any:
    """Return a copy of a text completion with edited texts."""
    choices = [
        choice if text is None else copy_with(choice, text=text, **cleared(choice, "logprobs", "message"))
        for choice, text in (
            (choice, edits.get(f"/output/{i}/parts/0")) for i, choice in enumerate(as_mapping(answer)["choices"])
        )
    ]
    return copy_with(answer, choices=choices)


class TextAccumulator:
    """Accumulator that builds a text completion from the chunks of a stream."""

    __slots__ = ("_choices", "_ended", "_head", "_usage")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._choices: dict[int, tuple[list[str], list[str]]] = {}
        self._head: Any = None
        self._usage: Any = None

    @property
    def finished(self) -> bool:
        return self._ended.are_all_of(len(self._choices))

    def add(self, chunk: Any) -> None:
        self._head = self._head or chunk
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in chunk.choices or ():
            texts, reasons = self._choices.setdefault(choice.index, ([], []))
            texts.append(choice.text or "")
            if choice.finish_reason:
                if self._ended.end(choice.index):
                    reasons.append(choice.finish_reason)
            elif choice.text:
                self._ended.reopen(choice.index)

    def result(self) -> Any:
        head: Mapping[str, Any] = as_mapping(self._head)
        choices = [
            {"text": "".join(texts), "finish_reason": reasons[-1] if reasons else None}
            for _, (texts, reasons) in sorted(self._choices.items())
        ]
        return SimpleNamespace(id=head.get("id"), model=head.get("model"), usage=self._usage, choices=choices)


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """Yield the text in a chunk by choice."""
    for choice in chunk.choices or ():
        if choice.text:
            yield choice.index, choice.text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``content_filter``."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    last = copy_with(cut_off, text=text, finish_reason="content_filter", **cleared(cut_off, "logprobs"))
    return copy_with(chunk, choices=[last])
