"""Text completions of the ``openai`` client: a prompt goes in, and its continuations come out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Message, Request, Response, Text
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import (
    all_fields_of,
    as_finish_reason,
    as_mapping,
    as_str,
    attributes_of,
    cleared,
    copy_with,
    list_or_item,
    read_text,
    unknown_part,
)
from specspan.instrument.formats.generated_client import method_paths, read_through, unset_to_none
from specspan.instrument.formats.known_chat import COMPLETION, COMPLETION_CHUNK
from specspan.instrument.formats.openai_chat_stream import choice_index, choices_of
from specspan.instrument.formats.raw_response import edit_answer, load, put_stream, unwrap
from specspan.instrument.providers.openai.chat import read_parameters
from specspan.instrument.providers.openai.client import Service, find_stream, read_usage, service_of
from specspan.instrument.providers.openai.embeddings import edit_request as edit_texts
from specspan.instrument.providers.openai.embeddings import read_messages

OPERATION = "text_completion"


def _build_openai_request(invocation: Invocation) -> Request:
    return build_request(invocation, service_of(invocation.instance._client))


def build_request(invocation: Invocation, service: Service) -> Request:
    """Build the request of a text completion; a suffix is the last of its messages."""
    arguments = invocation.kwargs
    suffix = unset_to_none(arguments.get("suffix"))
    return Request(
        operation=OPERATION,
        model=as_str(unset_to_none(arguments.get("model"))),
        parameters=dict(read_parameters(arguments)),
        input=(
            *read_messages(unset_to_none(arguments.get("prompt"))),
            *([Message("user", (Text(suffix),))] if isinstance(suffix, str) else ()),
        ),
        streaming=bool(arguments.get("stream")),
        **service,
    )


def edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    """Return a copy of the call with an edited prompt and suffix."""
    prompt = invocation.kwargs.get("prompt")
    edited = edit_texts(invocation, edits, "prompt") if prompt else invocation
    number = len(list(read_messages(unset_to_none(prompt))))
    suffix = edits.get(f"/input/{number}/parts/0")
    return edited if suffix is None else replace(edited, kwargs={**edited.kwargs, "suffix": suffix})


def _read_response(answer: Any) -> Response | None:
    body = unwrap(answer)
    return None if body is None else read_response(body)


def read_response(answer: Any) -> Response:
    """Read a text completion."""
    fields = as_mapping(answer)
    choices = list(list_or_item(fields.get("choices") or ()))
    reasons = [as_finish_reason(as_mapping(choice).get("finish_reason")) for choice in choices]
    return Response(
        id=as_str(fields.get("id")),
        model=as_str(fields.get("model")),
        output=tuple([_read_message(choice, reason) for choice, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=read_usage(fields.get("usage"), "prompt", "completion"),
    )


def _read_message(choice: Any, reason: str | None) -> Message:
    value = as_mapping(choice).get("text")
    if not value:
        return Message("assistant", (), None, reason)
    text = read_text(value)
    return Message("assistant", (unknown_part("text") if text is None else Text(text),), None, reason)


def _edit_response(answer: Any, edits: Edits) -> Any:
    return edit_answer(answer, lambda body: edit_response(body, edits))


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
        self._choices: dict[int, _StreamedText] = {}
        self._head: Any = None
        self._usage: Any = None

    @property
    def finished(self) -> bool:
        return bool(self._ended.indexes) and self._ended.are_all_of(len(self._choices))

    def add(self, chunk: Any) -> None:
        self._head = self._head or chunk
        self._usage = getattr(chunk, "usage", None) or self._usage
        for choice in choices_of(attributes_of(chunk)):
            index = choice_index(choice)
            streamed = self._choices.setdefault(index, _StreamedText())
            streamed.add(choice.get("text"))
            reason = choice.get("finish_reason")
            if reason and isinstance(reason, str):
                if self._ended.end(index):
                    streamed.finish_reason = reason
            elif choice.get("text"):
                self._ended.reopen(index)

    def result(self) -> Any:
        head: Mapping[str, Any] = as_mapping(self._head)
        choices = [streamed.to_choice() for _, streamed in sorted(self._choices.items())]
        return SimpleNamespace(id=head.get("id"), model=head.get("model"), usage=self._usage, choices=choices)


class _StreamedText:
    """Accumulated pieces of one choice."""

    __slots__ = ("finish_reason", "pieces", "unread")

    def __init__(self) -> None:
        self.pieces = TextPieces()
        self.finish_reason: str | None = None
        self.unread: Any = None

    def add(self, value: Any) -> None:
        text = read_text(value) if value else ""
        if text is None:
            self.unread = value
        self.pieces.write(text or "")

    def to_choice(self) -> dict[str, Any]:
        """Return the choice as an unstreamed completion has it."""
        text = self.pieces.getvalue()
        return {"text": text if self.unread is None else self.unread, "finish_reason": self.finish_reason}


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """Yield the text in a chunk by choice."""
    for choice in choices_of(attributes_of(chunk)):
        if (value := choice.get("text")) and (text := read_text(value)):
            yield choice_index(choice), text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``content_filter``."""
    choices = list_or_item(attributes_of(chunk).get("choices"))
    cut_off = next(each for each in choices if (fields := all_fields_of(each)) and choice_index(fields) == choice)
    last = copy_with(cut_off, text=text, finish_reason="content_filter", **cleared(cut_off, "logprobs"))
    return copy_with(chunk, choices=[last])


STREAMING = Streaming(
    accumulator=TextAccumulator,
    deltas=deltas,
    cut=cut,
    find_stream=find_stream,
    fields=COMPLETION_CHUNK,
    keep=read_through("_iterator"),
    put_stream=put_stream,
)
ADAPTER = Adapter(
    provider="openai",
    operation=OPERATION,
    package="openai",
    install="specspan[openai]",
    methods=method_paths("openai.resources.completions:Completions", names=("create",)),
    request=_build_openai_request,
    response=_read_response,
    edit_request=edit_request,
    edit_response=_edit_response,
    load=load,
    fields=COMPLETION,
    streaming=STREAMING,
)
