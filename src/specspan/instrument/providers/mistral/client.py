"""What every method of the ``mistralai`` client has in common, and how its objects are read.

Its objects have a value of their own for what was left out, and defaults that no service said: counts of 0, the id
``"null"``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.call import Request
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.anthropic_messages import to_plain_data
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.generated_client import server_at
from specspan.instrument.providers.openai import chat as _openai_chat
from specspan.instrument.providers.openai.client import Service

PROVIDER = "mistral_ai"
INSTALL = "specspan[mistral]"
PACKAGE = "mistralai.client.sdk"
"""``mistralai`` itself is no package that can be seen imported."""
_HOSTS = {"mistralai.azure": "azure.ai.inference", "mistralai.gcp": "gcp.vertex_ai"}


def method_paths(*classes: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The named methods of classes, each ``module:Class``, and those that are awaited in their place."""
    return tuple(f"mistralai.{each}.{name}{later}" for each in classes for name in names for later in ("", "_async"))


def without_defaults(thing: Any) -> Any:
    """What was said, as dicts and lists: of the client's objects what has a value that somebody gave it."""
    if isinstance(thing, (list, tuple)):
        return [without_defaults(each) for each in thing]
    if getattr(thing, "is_unknown", False):
        return thing.raw  # what this version of the client does not know, as it came
    given = getattr(thing, "model_fields_set", None)
    if given is None:
        return thing
    found = {name: without_defaults(value) for name, value in as_mapping(thing).items() if name in given or value}
    return {name: value for name, value in found.items() if (name, value) != ("id", "null")} or None


def service_of(invocation: Invocation) -> Service:
    """Who is asked, and where. The same models on other people's machines have clients of their own."""
    client = invocation.instance
    provider = _HOSTS.get(type(client).__module__.partition(".client")[0], PROVIDER)
    url = invocation.kwargs.get("server_url") or client.sdk_configuration.get_server_details()[0]
    return {"provider": provider, **server_at(url)}


def build_request(invocation: Invocation, messages: Any, *, streaming: bool = False) -> Request:
    """What a model is asked with ``messages``, in the parameters that Mistral's methods share."""
    given = invocation.kwargs
    read: Mapping[str, Any] = {
        **given,
        "messages": without_defaults(messages),
        "tools": to_plain_data(given.get("tools") or ()),
        "seed": given.get("random_seed"),
        "stream": streaming,
    }
    return _openai_chat.build_request(Invocation(invocation.instance, (), read), service_of(invocation))
