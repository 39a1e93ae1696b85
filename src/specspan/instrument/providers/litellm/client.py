"""What every function of ``litellm`` has in common: whose model is asked, and how answers are read and changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from specspan.call import Response, Usage
from specspan.instrument.formats.fields import as_mapping
from specspan.instrument.providers.openai.client import Service

PROVIDER = "litellm"
"""Where it is not known whose model it is."""
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
"""What LiteLLM has another name for than the conventions, or than the provider's own client has here."""
_ORIGINAL_FIELDS = ("original_response", "provider_specific_fields")


def method_paths(*names: str) -> tuple[str, ...]:
    """These functions, where applications look them up."""
    return tuple(f"litellm:{name}" for name in names)


def service_of(given: Mapping[str, Any]) -> Service:
    """Whose model is asked, and where, as far as the call says so."""
    base = given.get("api_base") or given.get("base_url")
    url = urlsplit(base) if isinstance(base, str) else urlsplit("")
    port = url.port or ({"https": 443, "http": 80}.get(url.scheme) if url.hostname else None)
    return {"provider": _provider(given), "server_address": url.hostname, "server_port": port}


def _provider(given: Mapping[str, Any]) -> str:
    """``gen_ai.provider.name``: named, by itself or before the model, or known of the model."""
    import litellm  # type: ignore[import-not-found,import-untyped,unused-ignore]

    model = str(given.get("model") or "")
    named = given.get("custom_llm_provider") or model.partition("/")[0]
    if named not in litellm.provider_list:
        named = as_mapping(litellm.model_cost.get(model)).get("litellm_provider")
    known = str(getattr(named, "value", named) or PROVIDER)
    return _PROVIDER_NAMES.get(known) or ("gcp.vertex_ai" if known.startswith("vertex_ai-") else known)


def without_invented_counts(response: Response | None, answer: Any) -> Response | None:
    """A response without the zeros that LiteLLM has where a service said nothing: of all tokens, or of reasoning."""
    if response is None:
        return None
    usage = response.usage
    if not usage.input_tokens and not usage.output_tokens:
        return replace(response, usage=Usage())
    if usage.reasoning_output_tokens == 0:
        details = as_mapping(as_mapping(as_mapping(answer).get("usage")).get("completion_tokens_details"))
        if details.get("text_tokens") is not None:  # all of them, as LiteLLM reckons
            return replace(response, usage=replace(usage, reasoning_output_tokens=None))
    return response


def find_stream(answer: Any) -> Any | None:
    """The answer, where it is a stream."""
    return answer if hasattr(answer, "__next__") or hasattr(answer, "__anext__") else None


def stream_source(stream: Any) -> Any:
    """What a stream reads from: the stream of another client, or pieces that LiteLLM reads by itself."""
    while hasattr(stream, "completion_stream"):
        stream = stream.completion_stream
    return getattr(stream, "streaming_response", stream)


def without_original_response(answer: Any) -> Any:
    """An answer, edited already, without what it keeps beside itself of what the service said."""
    hidden = getattr(answer, "_hidden_params", None)
    if isinstance(hidden, dict):
        answer._hidden_params = {name: value for name, value in hidden.items() if name not in _ORIGINAL_FIELDS}
    elif hidden is not None:
        answer._hidden_params = hidden.model_copy(update={"original_response": None})
    return answer
