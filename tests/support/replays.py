"""What a span says of an exchange, to compare with what was recorded; and how many exchanges were compared."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cassettes import Exchange
from opentelemetry.sdk.trace import ReadableSpan

from specspan.call import Usage

_PROPERTY = "replay"


@dataclass(frozen=True)
class Facts:
    """What is known of a model call: read off a body by a test, or off a span by `told`."""

    provider: str
    operation: str
    model: str | None
    """That was asked for."""
    response_id: str | None = None
    response_model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = Usage()  # noqa: RUF009 - immutable
    texts: tuple[str, ...] = ()
    """All text of an output message, refusals included; one a message that has any."""
    tool_calls: tuple[tuple[str | None, str, Any], ...] = ()
    """Id, name and arguments of each."""
    error: str | None = None
    """The class of what was raised."""


def told(span: ReadableSpan) -> Facts:
    """What a span says of its call. The content is there only of pipelines that record it (`content_spans`)."""
    found = span.attributes or {}
    output = json.loads(str(found.get("gen_ai.output.messages", "[]")))
    parts = [part for message in output for part in message["parts"] if part["type"] == "tool_call"]
    return Facts(
        provider=str(found["gen_ai.provider.name"]),
        operation=str(found["gen_ai.operation.name"]),
        model=_text(found.get("gen_ai.request.model")),
        response_id=_text(found.get("gen_ai.response.id")),
        response_model=_text(found.get("gen_ai.response.model")),
        finish_reasons=tuple(found.get("gen_ai.response.finish_reasons", ())),  # type: ignore[arg-type]  # an array
        usage=_usage(found),
        texts=tuple(text for message in output if (text := _said(message))),
        tool_calls=tuple((part.get("id"), part["name"], part.get("arguments")) for part in parts),
        error=_text(found.get("error.type")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _said(message: Mapping[str, Any]) -> str:
    return "".join(part["content"] for part in message["parts"] if part["type"] in ("text", "refusal"))


def _usage(found: Mapping[str, Any]) -> Usage:
    return Usage(
        input_tokens=found.get("gen_ai.usage.input_tokens"),
        output_tokens=found.get("gen_ai.usage.output_tokens"),
        cache_read_input_tokens=found.get("gen_ai.usage.cache_read.input_tokens"),
        cache_write_input_tokens=found.get("gen_ai.usage.cache_write.input_tokens"),
        reasoning_output_tokens=found.get("gen_ai.usage.reasoning.output_tokens"),
    )


class Tally:
    """Counts what one test replayed, for the table at the end of the run."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self._properties = properties

    def replayed(self, provider: str, exchange: Exchange, way: str) -> None:
        """``exchange`` was compared, in a ``way`` such as ``sync``."""
        self._properties.append((_PROPERTY, (provider, exchange.name, way)))

    def skipped(self, provider: str, exchange: Exchange, reason: str) -> None:
        """``exchange`` was not compared, because of ``reason``."""
        self._properties.append((_PROPERTY, (provider, exchange.name, f"skipped: {reason}")))


def table(properties: Iterable[tuple[str, Any]]) -> Iterator[str]:
    """Lines of the table: a provider's exchanges, how often each way, and what was skipped and why."""
    ways: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for name, value in properties:
        if name == _PROPERTY:
            provider, exchange, way = value
            ways[provider][way].add(exchange)
    for provider, names in sorted(ways.items()):
        total = len(set().union(*names.values()))
        counts = ", ".join(f"{way} {len(found)}" for way, found in sorted(names.items(), key=_skipped_last))
        yield f"{provider:<24} {total:>4} exchanges: {counts}"


def _skipped_last(item: tuple[str, object]) -> tuple[bool, str]:
    return item[0].startswith("skipped"), item[0]
