"""Server, requests and object values, which all methods of the ``mistralai`` client share.

The client's objects have a marker for omitted fields, and defaults that no service sent, such as counts of 0 and the id
``"null"``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from specspan.call import Request
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.fields import as_mapping, to_plain_data
from specspan.instrument.formats.generated_client import server_at
from specspan.instrument.providers.openai import chat as openai_chat
from specspan.instrument.providers.openai.client import Service

PROVIDER = "mistral_ai"
INSTALL = "specspan[mistral]"
PACKAGE = "mistralai.client.sdk"
"""Module to wait for: the import of ``mistralai`` itself cannot be observed, as it is a namespace package."""
_HOSTS = {"mistralai.azure": "azure.ai.inference", "mistralai.gcp": "gcp.vertex_ai"}


def method_paths(*classes: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the paths of named methods of classes, each ``module:Class``, and of their ``_async`` twins."""
    return tuple(f"mistralai.{each}.{name}{later}" for each in classes for name in names for later in ("", "_async"))


def chunk_in_error(error: BaseException) -> Any | None:
    """Return the event that the client could not make an object of."""
    body = getattr(error, "body", None)
    if type(error).__name__ != "ResponseValidationError" or not isinstance(body, str):
        return None
    try:
        event = json.loads(body)
    except ValueError:
        return None
    return SimpleNamespace(data=as_mapping(event).get("data"))


def without_defaults(thing: Any) -> Any:
    """Return a client's objects as dicts and lists, without the client's own defaults."""
    if isinstance(thing, (list, tuple)):
        return [without_defaults(each) for each in thing]
    if getattr(thing, "is_unknown", False):
        return thing.raw  # unknown to this version of the client
    arguments = getattr(thing, "model_fields_set", None)
    if arguments is None:
        return thing
    values = {name: without_defaults(value) for name, value in as_mapping(thing).items() if name in arguments or value}
    return {name: value for name, value in values.items() if (name, value) != ("id", "null")} or None


def service_of(invocation: Invocation) -> Service:
    """Return provider and server of a call; models on other clouds have clients of their own."""
    client = invocation.instance
    provider = _HOSTS.get(type(client).__module__.partition(".client")[0], PROVIDER)
    url = invocation.kwargs.get("server_url") or client.sdk_configuration.get_server_details()[0]
    return {"provider": provider, **server_at(url)}


def build_request(invocation: Invocation, messages: Any, *, streaming: bool = False) -> Request:
    """Build the request for ``messages``, from the parameters that Mistral's methods share."""
    arguments = invocation.kwargs
    normalised: Mapping[str, Any] = {
        **arguments,
        "messages": without_defaults(messages),
        "tools": to_plain_data(arguments.get("tools") or ()),
        "seed": arguments.get("random_seed"),
        "stream": streaming,
    }
    return openai_chat.build_request(Invocation(invocation.instance, (), normalised), service_of(invocation))
