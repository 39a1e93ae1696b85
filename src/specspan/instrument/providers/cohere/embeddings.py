"""Embeddings of Cohere: texts and pictures go in, and no text comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from specspan.call import Media, Request, Response, Text
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.formats.bodies import Turn, put_at, with_turns
from specspan.instrument.formats.fields import Fields, fields, listed, reference
from specspan.instrument.formats.generated_client import methods, reads_once
from specspan.instrument.formats.openai_chat import message_of, with_texts
from specspan.instrument.providers.cohere.client import INSTALL, PROVIDER, answered, common, given, usage_of

_OPERATION = "embeddings"


def _request(invocation: Invocation) -> Request:
    said = given(invocation)
    return Request(
        operation=_OPERATION,
        input=(
            *map(_user, listed(said.get("inputs"))),
            *(turn.message() for turn in _turns(said)),
        ),
        **common(invocation),
    )


def _user(mixed: Any) -> Any:
    """What stands together and has one embedding."""
    return replace(message_of(mixed), role="user")


def _turns(said: Fields) -> Iterator[Turn]:
    for at, text in enumerate(listed(said.get("texts"))):
        yield Turn("user", ((Text(text), put_at("texts", at)),))
    for uri in listed(said.get("images")):
        yield Turn("user", ((Media("image", *reference(uri)), None),))


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    said = given(invocation)
    mixed = list(listed(said.get("inputs")))
    before = [Turn("user", ()) for _ in mixed]
    after = with_turns(invocation.kwargs, [*before, *_turns(said)], "input", edits)
    return replace(invocation, kwargs={**after, **({"inputs": with_texts(mixed, "input", edits)} if mixed else {})})


def _response(answer: Any) -> Response:
    return Response(usage=usage_of(fields(answered(answer)).get("meta")))


def _edit_response(answer: Any, edits: Edits) -> Any:
    return answer  # there is no text of the model's in it


ADAPTER = Adapter(
    provider=PROVIDER,
    operation=_OPERATION,
    package=PROVIDER,
    install=INSTALL,
    methods=methods("cohere.v2.raw_client:RawV2Client", "cohere.raw_base_client:RawBaseCohere", names=("embed",)),
    prepare=reads_once("texts", "images", "inputs"),
    request=_request,
    response=_response,
    edit_request=_edit_request,
    edit_response=_edit_response,
)
