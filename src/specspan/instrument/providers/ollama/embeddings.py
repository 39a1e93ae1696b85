"""Ollama's embeddings, by the current method ``embed`` and the older ``embeddings``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from specspan.call import Request, Response, Usage
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.fields import as_count, as_mapping, as_str
from specspan.instrument.formats.generated_client import name_arguments
from specspan.instrument.providers.ollama.client import INSTALL, PROVIDER, common_fields, method_paths
from specspan.instrument.providers.openai import embeddings as openai_embeddings

_OPERATION = "embeddings"


def _build_request(invocation: Invocation) -> Request:
    arguments = invocation.kwargs
    texts = arguments.get("input") or arguments.get("prompt")
    return Request(
        operation=_OPERATION, input=tuple(openai_embeddings.read_messages(texts)), **common_fields(invocation)
    )


def _edit_prompt(invocation: Invocation, edits: Edits) -> Invocation:
    return replace(invocation, kwargs={**invocation.kwargs, "prompt": edits["/input/0/parts/0"]})


def _read_response(answer: Any) -> Response:
    embedded = as_mapping(answer)
    return Response(
        model=as_str(embedded.get("model")), usage=Usage(input_tokens=as_count(embedded.get("prompt_eval_count")))
    )


def _edit_response(answer: Any, edits: Edits) -> Any:
    return answer  # an embedding has no text


_EMBED = Adapter(
    provider=PROVIDER,
    operation=_OPERATION,
    package=PROVIDER,
    install=INSTALL,
    methods=method_paths("embed"),
    prepare=name_arguments("model", "input", "truncate", "options", "keep_alive", "dimensions"),
    request=_build_request,
    response=_read_response,
    edit_request=openai_embeddings.edit_request,
    edit_response=_edit_response,
)
_EMBEDDINGS = replace(
    _EMBED,
    methods=method_paths("embeddings"),
    prepare=name_arguments("model", "prompt", "options", "keep_alive"),
    edit_request=_edit_prompt,
)
ADAPTERS = (_EMBED, _EMBEDDINGS)
