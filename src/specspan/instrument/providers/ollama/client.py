"""Method paths, server and parameters, which all methods of the ``ollama`` client share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from specspan.call import Attribute
from specspan.instrument.adapter import Invocation
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.formats.generated_client import Server, server_of

PROVIDER = "ollama"
INSTALL = "specspan[ollama]"

_PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "seed": "seed",
    "num_predict": "max_tokens",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
}


class CommonFields(TypedDict):
    """Fields of a `specspan.call.Request` that every method sets."""

    provider: str
    model: str | None
    parameters: Mapping[str, Attribute]
    server_address: str | None
    server_port: int | None


def method_paths(name: str) -> tuple[str, ...]:
    """Return the paths of a method of the client, of its async twin and of the module's own client."""
    return f"ollama:Client.{name}", f"ollama:AsyncClient.{name}", f"ollama:{name}"


def common_fields(invocation: Invocation) -> CommonFields:
    """Return provider, model, parameters and server of a call."""
    arguments = invocation.kwargs
    server: Server = server_of(invocation.instance._client)
    return {
        "provider": PROVIDER,
        "model": arguments.get("model") or None,
        "parameters": _read_parameters(arguments.get("options")),
        **server,
    }


def _read_parameters(options: Any) -> dict[str, Attribute]:
    chosen = as_mapping(options)
    parameters: dict[str, Attribute] = {
        name: chosen[option] for option, name in _PARAMETERS.items() if isinstance(chosen.get(option), (int, float))
    }
    stop = chosen.get("stop")
    if stop:
        parameters["stop_sequences"] = (stop,) if isinstance(stop, str) else tuple(stop)
    return parameters
