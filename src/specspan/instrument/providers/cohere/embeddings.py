"""Cohere's embeddings: texts and images go in, and no text comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Media, Request, Response, Text
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.bodies import Turn, edit_turns, replace_at
from specspan.instrument.formats.fields import Fields, as_list, as_mapping, media_reference
from specspan.instrument.formats.generated_client import method_paths
from specspan.instrument.formats.openai_chat import edit_messages, read_message
from specspan.instrument.providers.cohere.client import (
    INSTALL,
    PROVIDER,
    common_fields,
    explicit_parameters,
    read_usage,
    unwrap,
)

_OPERATION = "embeddings"


def _build_request(invocation: Invocation) -> Request:
    arguments = explicit_parameters(invocation)
    return Request(
        operation=_OPERATION,
        input=(
            *map(_read_mixed_input, as_list(arguments.get("inputs"))),
            *(turn.to_message() for turn in _input_turns(arguments)),
        ),
        **common_fields(invocation),
    )


def _read_mixed_input(mixed: Any) -> Any:
    """Return one message for texts and images that share one embedding."""
    return replace(read_message(mixed), role="user")


def _input_turns(arguments: Fields) -> Iterator[Turn]:
    for at, text in enumerate(as_list(arguments.get("texts"))):
        yield Turn("user", ((Text(text), replace_at("texts", at)),))
    for uri in as_list(arguments.get("images")):
        yield Turn("user", ((Media("image", *media_reference(uri)), None),))


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    arguments = explicit_parameters(invocation)
    mixed = list(as_list(arguments.get("inputs")))
    before = [Turn("user", ()) for _ in mixed]
    after = edit_turns(invocation.kwargs, [*before, *_input_turns(arguments)], "input", edits)
    return replace(invocation, kwargs={**after, **({"inputs": edit_messages(mixed, "input", edits)} if mixed else {})})


def _read_response(answer: Any) -> Response:
    return Response(usage=read_usage(as_mapping(unwrap(answer)).get("meta")))


def _edit_response(answer: Any, edits: Edits) -> Any:
    return answer  # an embedding has no text


ADAPTER = Adapter(
    provider=PROVIDER,
    operation=_OPERATION,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths("cohere.v2.raw_client:RawV2Client", "cohere.raw_base_client:RawBaseCohere", names=("embed",)),
    request=_build_request,
    response=_read_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
