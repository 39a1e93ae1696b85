"""Provider names, servers and answer clean-up, which all functions of ``litellm`` share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from specspan.call import Response, Usage
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.providers.openai.client import Service

PROVIDER = "litellm"
"""Provider name of a model whose provider is unknown."""
INSTALL = "specspan[litellm]"
_PROVIDER_NAMES: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "azure_text": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "cohere_chat": "cohere",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "ollama_chat": "ollama",
    "text-completion-openai": "openai",
    "together_ai": "together",
    "vertex_ai": "gcp.vertex_ai",
    "vertex_ai_beta": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Provider names that differ between LiteLLM and the conventions, or this package's own adapters."""
_ORIGINAL_FIELDS = ("original_response", "provider_specific_fields")


def method_paths(*names: str) -> tuple[str, ...]:
    """Return the paths of functions where applications look them up."""
    return tuple(f"litellm:{name}" for name in names)


def service_of(arguments: Mapping[str, Any]) -> Service:
    """Return provider and server, as far as the arguments of a call tell."""
    base = arguments.get("api_base") or arguments.get("base_url")
    url = urlsplit(base) if isinstance(base, str) else urlsplit("")
    port = url.port or ({"https": 443, "http": 80}.get(url.scheme) if url.hostname else None)
    return {"provider": _provider(arguments), "server_address": url.hostname, "server_port": port}


def _provider(arguments: Mapping[str, Any]) -> str:
    """Return ``gen_ai.provider.name``: given by argument, by the model's prefix, or known for the model."""
    import litellm  # type: ignore[import-not-found,import-untyped,unused-ignore]

    model = str(arguments.get("model") or "")
    prefix = arguments.get("custom_llm_provider") or model.partition("/")[0]
    if prefix not in litellm.provider_list:
        prefix = as_mapping(litellm.model_cost.get(model)).get("litellm_provider")
    provider = str(getattr(prefix, "value", prefix) or PROVIDER)
    return _PROVIDER_NAMES.get(provider) or ("gcp.vertex_ai" if provider.startswith("vertex_ai-") else provider)


def without_invented_counts(response: Response | None, answer: Any) -> Response | None:
    """Return a response without the zeros that LiteLLM adds if the service sent no count."""
    if response is None:
        return None
    usage = response.usage
    if not usage.input_tokens and not usage.output_tokens:
        return replace(response, usage=Usage())
    if usage.reasoning_output_tokens == 0:
        details = as_mapping(as_mapping(as_mapping(answer).get("usage")).get("completion_tokens_details"))
        if details.get("text_tokens") is not None:  # LiteLLM counts all tokens as text
            return replace(response, usage=replace(usage, reasoning_output_tokens=None))
    return response


def find_stream(answer: Any) -> Any | None:
    """Return the answer if it is a stream."""
    return answer if hasattr(answer, "__next__") or hasattr(answer, "__anext__") else None


def stream_source(stream: Any) -> Any:
    """Return the object that a stream reads from: another client's stream, or LiteLLM's own reader."""
    while hasattr(stream, "completion_stream"):
        stream = stream.completion_stream
    return getattr(stream, "streaming_response", stream)


def without_original_response(answer: Any) -> Any:
    """Return an edited answer without the hidden copies of the original response."""
    hidden = getattr(answer, "_hidden_params", None)
    if isinstance(hidden, dict):
        answer._hidden_params = {name: value for name, value in hidden.items() if name not in _ORIGINAL_FIELDS}
    elif hidden is not None:
        answer._hidden_params = hidden.model_copy(update={"original_response": None})
    return answer
