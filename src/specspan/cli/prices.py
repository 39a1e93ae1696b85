"""Costs of calls, by the prices of the package `genai-prices`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from specspan.sqlite.model import ModelUsage


def calculate_cost(usage: Mapping[tuple[str, str], ModelUsage]) -> tuple[Decimal | None, list[str]]:
    """Return the cost of tokens in US dollars, and the models that have no price.

    None where `genai-prices` is not installed or no model has a price. Prices are those in force today; steps that
    depend on the length of one call are left out, since tokens are summed up first.
    """
    try:
        from genai_prices import Usage, calc_price
    except ImportError:
        return None, []
    total, unknown = None, []
    for (provider, model), tokens in usage.items():
        if not (tokens.input_tokens or tokens.output_tokens):
            continue
        asked = Usage(
            input_tokens=tokens.input_tokens,
            output_tokens=tokens.output_tokens,
            cache_read_tokens=min(tokens.cache_read_input_tokens, tokens.input_tokens),
        )
        try:
            price = calc_price(asked, model_ref=model, provider_id=_PROVIDERS.get(provider, provider)).total_price
        except Exception:  # an unknown model or provider, or counts that its prices cannot be read for
            unknown.append(model)
        else:
            total = price if total is None else total + price
    return total, sorted(set(unknown))


_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
"""Names that `genai-prices` has for providers, where OpenTelemetry's conventions have another."""
