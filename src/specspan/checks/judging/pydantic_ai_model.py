"""Models through Pydantic AI: OpenAI and compatible endpoints, Anthropic, Google, Bedrock, Mistral, Ollama and others.

Requests have no tools and no history. Retries are the judge's own, so those of the client are switched off. Keys come
from the environment, as the provider's library reads them, and appear in no message of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
from collections.abc import Mapping
from decimal import Decimal
from importlib import import_module
from typing import TYPE_CHECKING, Any

from specspan._support import process
from specspan.call import Usage
from specspan.checks.check import CheckConfigError
from specspan.checks.judging.judge_model import ModelFailure, ModelReply
from specspan.checks.judging.judge_prompt import JudgePrompt

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters

_INSTALL = "Install it with: pip install 'specspan[judge]'"
_PROVIDERS = {
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "mistral": "mistral_ai",
}
"""Names that the conventions have for providers, where Pydantic AI has another."""
_CLIENT_PACKAGES = frozenset(
    (
        "anthropic",
        "anyio",
        "cohere",
        "google",
        "groq",
        "httpcore",
        "httpcore2",
        "httpx",
        "httpx2",
        "mistralai",
        "openai",
    )
) | {"pydantic_ai", "pydantic_graph"}
"""Packages that the first request to a model imports."""
_AT_FIRST_REQUEST = (
    "anyio._backends._asyncio",
    "genai_prices.data",
    "jiter",
    "openai.pagination",
    "openai.resources",
    "openai.resources.chat.chat",
    "openai.resources.chat.completions.completions",
    "openai.resources.responses",
)
"""Modules that clients import when they are first used."""
_MAX_COUNT = 2**40
"""Bound of what an endpoint may say that a request has used; a budget would count on, and exporters write 64 bits."""
_CLIENT_ERRORS = (400, 401, 403, 404, 405, 413, 415, 422)


class PydanticAIModel:
    """Model of any provider that Pydantic AI knows, made when it is first asked."""

    def __init__(self, name: str, *, endpoint: str | None = None, parameters: Mapping[str, Any] | None = None) -> None:
        """Name a model such as ``openai:gpt-5-mini``.

        ``endpoint``: address of a service that speaks OpenAI's chat API.
        """
        self.name = name
        self._endpoint = endpoint
        self._parameters = dict(parameters or {})

    @property
    def provider(self) -> str:
        """Name of the provider, by the conventions."""
        provider = self.name.partition(":")[0].removesuffix("-chat").removesuffix("-responses")
        return _PROVIDERS.get(provider, provider)

    @property
    def endpoint(self) -> str:
        """Key of the endpoint."""
        return self._endpoint or self.provider

    async def request(self, prompt: JudgePrompt, timeout_s: float) -> ModelReply:
        """Return the model's reply.

        Raises:
            ModelFailure: there is none.
        """
        from pydantic_ai.exceptions import ModelAPIError, ModelHTTPError
        from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart

        try:
            model = _models.find(self.name, self._endpoint)
            request = ModelRequest([SystemPromptPart(prompt.system), UserPromptPart(prompt.user)])
            settings: Any = {"timeout": timeout_s, **self._parameters}
            answer = model.request([request], settings, _request_parameters(model, prompt))
            response = await asyncio.wait_for(answer, timeout_s)
        except ModelHTTPError as error:
            raise _http_failure(error.status_code, error.retry_after, error.headers) from None
        except (asyncio.TimeoutError, TimeoutError):
            raise ModelFailure("timeout") from None
        except ModelAPIError as error:
            is_timeout = "timed out" in str(error).lower() or "timeout" in type(error.__cause__).__name__.lower()
            raise ModelFailure("timeout" if is_timeout else "connection") from None
        except Exception as error:
            raise ModelFailure(f"model_error:{type(error).__name__}"[:64], can_retry=False, is_outage=False) from None
        return _reply(response)


class _Models:
    """Models of one process, each with the client that all judges of one name and endpoint share."""

    def __init__(self) -> None:
        self.after_fork()
        process.after_fork(self)

    def find(self, name: str, endpoint: str | None) -> Model:
        """Return the model, whose client belongs to the event loop that runs."""
        key = name, endpoint, id(asyncio.get_running_loop())
        if key not in self.by_key:
            self.by_key[key] = make_model(name, endpoint)
        return self.by_key[key]

    def after_fork(self) -> None:
        """Forget the parent's connections, and modules that a thread of it was importing: they would stay half made."""
        for name, module in list(sys.modules.items()):
            is_half_made = getattr(getattr(module, "__spec__", None), "_initializing", False)
            if is_half_made and name.partition(".")[0] in _CLIENT_PACKAGES:
                del sys.modules[name]
        self.by_key: dict[tuple[str, str | None, int], Model] = {}


_models = _Models()


async def close_clients() -> None:
    """Close the connections of every model that was asked on the event loop that runs."""
    loop = id(asyncio.get_running_loop())
    for key in [key for key in _models.by_key if key[2] == loop]:
        client: Any = getattr(_models.by_key.pop(key), "client", None)
        close = getattr(client, "close", None)
        closed = close() if callable(close) else None
        if inspect.isawaitable(closed):
            with contextlib.suppress(Exception):  # somebody's client
                await closed


def make_model(name: str, endpoint: str | None = None) -> Model:
    """Return the model of a name, with the retries of its client switched off.

    Raises:
        pydantic_ai.exceptions.UserError: the name, or its provider, is unknown; or a key is missing.
    """
    from pydantic_ai.models import infer_model

    model: Model
    if endpoint is None:
        model = infer_model(name)
    else:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        model = OpenAIChatModel(name.partition(":")[2] or name, provider=OpenAIProvider(base_url=endpoint))
    client: Any = getattr(model, "client", None)
    if isinstance(getattr(client, "max_retries", None), int):
        client.max_retries = 0
    return model


def check_name(name: str, endpoint: str | None) -> None:
    """Refuse a model that cannot be asked.

    Raises:
        CheckConfigError: Pydantic AI is not installed, or knows no provider of that name.
    """
    try:
        from pydantic_ai.models import parse_model_id
        from pydantic_ai.providers import infer_provider_class
    except ImportError as error:
        raise CheckConfigError(
            "a judge with a model needs the package 'pydantic-ai-slim'", _INSTALL, "model"
        ) from error
    provider = parse_model_id(name)[0]
    _import_ahead("openai" if endpoint is not None else provider)
    if endpoint is not None:
        return
    example = "Write provider:model, such as openai:gpt-5-mini, or give 'endpoint'."
    if provider is None:
        raise CheckConfigError(f"model {name!r} names no provider", example, "model")
    try:
        infer_provider_class(provider)
    except ImportError as error:
        raise CheckConfigError(
            f"the client of provider {provider!r} is not installed: {error}", example, "model"
        ) from error
    except ValueError as error:
        raise CheckConfigError(f"unknown provider {provider!r}", example, "model") from error


def _import_ahead(provider: str | None) -> None:
    """Import what the first request needs: a child that is forked while a thread imports would wait for ever."""
    first = (provider or "openai").partition("-")[0]
    modules = (
        "pydantic_ai.exceptions",
        "pydantic_ai.messages",
        "pydantic_ai.output",
        f"pydantic_ai.models.{first}",
        f"pydantic_ai.providers.{first}",
    )
    for module in (*modules, *_AT_FIRST_REQUEST):
        with contextlib.suppress(ImportError):  # of another provider; the first request says so where it is needed
            import_module(module)


def price_of(name: str, usage: Usage) -> Decimal | None:
    """Return what tokens cost in US dollars; None where `genai-prices` is not installed or knows no price."""
    try:
        from genai_prices import Usage as PricedUsage
        from genai_prices import calc_price
    except ImportError:
        return None
    provider, _, model = name.rpartition(":")
    counts = PricedUsage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=min(usage.cache_read_input_tokens or 0, usage.input_tokens or 0),
    )
    try:
        return calc_price(counts, model_ref=model, provider_id=provider.removesuffix("-chat") or None).total_price
    except Exception:  # an unknown model or provider, or counts that its prices cannot be read for
        return None


def _request_parameters(model: Model, prompt: JudgePrompt) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition

    if prompt.schema is None or not model.profile.get("supports_json_schema_output"):
        return ModelRequestParameters()
    schema = OutputObjectDefinition(json_schema=prompt.schema, name="rulings", strict=True)
    return ModelRequestParameters(output_mode="native", output_object=schema)


def _http_failure(status: int, retry_after_s: float | None, headers: Mapping[str, str] | None) -> ModelFailure:
    if retry_after_s is None:
        retry_after_s = _seconds((headers or {}).get("retry-after"))
    if status == 429:
        return ModelFailure("rate_limited", retry_after_s=retry_after_s)
    can_retry = status not in _CLIENT_ERRORS
    is_outage = can_retry or status in (401, 403, 404)
    return ModelFailure(f"http_{status}", retry_after_s=retry_after_s, can_retry=can_retry, is_outage=is_outage)


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if 0 <= seconds < 3600 else None


def _reply(response: ModelResponse) -> ModelReply:
    from pydantic_ai.messages import TextPart

    text = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    counts = response.usage
    usage = _usage(counts.input_tokens, counts.output_tokens, counts.cache_read_tokens, counts.cache_write_tokens)
    try:
        cost = response.cost().total_price
    except Exception:  # an unknown model, or one of an endpoint of one's own
        cost = None
    if cost is not None and not 0 <= cost < _MAX_COUNT:
        cost = None
    return ModelReply(text, usage, response.model_name, response.provider_response_id, cost)


def _usage(input_tokens: int, output_tokens: int, cache_read: int, cache_write: int) -> Usage:
    """Return the tokens that an endpoint counted, without numbers that no request has."""
    return Usage(_count(input_tokens), _count(output_tokens), _count(cache_read), _count(cache_write) or None)


def _count(tokens: int) -> int | None:
    return tokens if 0 <= tokens < _MAX_COUNT else None
