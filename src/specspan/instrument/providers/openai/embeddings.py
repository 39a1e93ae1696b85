"""Embeddings of the ``openai`` client: texts go in, and no text comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, Text, Unknown, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import as_count, as_mapping, as_str
from specspan.instrument.formats.generated_client import method_paths, unset_to_none
from specspan.instrument.formats.raw_response import load, unwrap
from specspan.instrument.providers.openai.client import Service, service_of

_OPERATION = "embeddings"


def _build_openai_request(invocation: Invocation) -> Request:
    return build_request(invocation, service_of(invocation.instance._client))


def build_request(invocation: Invocation, service: Service) -> Request:
    """Build the request to a service, from the arguments of any client with OpenAI's parameters."""
    arguments = invocation.kwargs
    encoding = unset_to_none(arguments.get("encoding_format"))
    return Request(
        operation=_OPERATION,
        model=unset_to_none(arguments.get("model")),
        parameters={"encoding_formats": (encoding,)} if isinstance(encoding, str) else {},
        input=tuple(read_messages(arguments.get("input"))),
        **service,
    )


def read_messages(arguments: Any) -> Iterator[Message]:
    """Yield one message for each text; input that the caller tokenised cannot be read."""
    if isinstance(arguments, str):
        yield Message("user", (Text(arguments),))
    elif arguments and isinstance(arguments[0], int):
        yield Message("user", (Unknown("tokens"),))
    else:
        for each in arguments or ():
            yield Message("user", (Text(each) if isinstance(each, str) else Unknown("tokens"),))


def edit_request(invocation: Invocation, edits: Edits, name: str = "input") -> Invocation:
    """Return a copy of the call with edited texts in the argument ``name``."""
    arguments = invocation.kwargs[name]
    edited: Any
    if isinstance(arguments, str):
        edited = edits.get("/input/0/parts/0", arguments)
    else:
        edited = [edits.get(f"/input/{i}/parts/0", each) for i, each in enumerate(arguments)]
    return replace(invocation, kwargs={**invocation.kwargs, name: edited})


def _read_response(answer: Any) -> Response | None:
    body = unwrap(answer)
    if body is None:
        return None
    embedded = as_mapping(body)
    read = as_count(as_mapping(embedded.get("usage")).get("prompt_tokens"))
    return Response(model=as_str(embedded.get("model")), usage=Usage(input_tokens=read))


def _edit_response(answer: Any, edits: Edits) -> Any:
    return answer  # an embedding has no text


ADAPTER = Adapter(
    provider="openai",
    operation=_OPERATION,
    package="openai",
    install="specspan[openai]",
    methods=method_paths("openai.resources.embeddings:Embeddings", names=("create",)),
    request=_build_openai_request,
    response=_read_response,
    edit_request=edit_request,
    edit_response=_edit_response,
    load=load,
)
