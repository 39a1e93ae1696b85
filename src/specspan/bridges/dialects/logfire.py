"""Logfire's integrations of clients: the conventions' JSON by now, and before that the bodies of request and answer.

A streamed call has a span that ends as the stream begins, and a log of what it came to: that one is the call.

Source: https://logfire.pydantic.dev/docs/integrations/llms/openai/
"""

from __future__ import annotations

from specspan.bridges.attribute_values import flag, mapping, word
from specspan.bridges.conventions import EVENTS_IN_AN_ATTRIBUTE, IN_ATTRIBUTES, call_of
from specspan.bridges.dialect import Dialect, Recorded, response_id
from specspan.bridges.messages import answered, asked
from specspan.bridges.recorded_content import Side
from specspan.call import Message, ModelCall

_ANSWERED = ("response_data", "gen_ai.output.messages", "gen_ai.response.id", "gen_ai.usage.input_tokens")


def _speaks(recorded: Recorded) -> bool:
    return "request_data" in recorded.attributes and (
        recorded.scope.startswith("logfire") or "logfire.span_type" in recorded.attributes
    )


def _read(recorded: Recorded) -> ModelCall | None:
    facts, given = recorded.attributes, mapping(recorded.attributes.get("request_data"))
    logged = facts.get("logfire.span_type") == "log"
    if "model" not in given and "gen_ai.request.model" not in facts:
        return None
    if facts.get("logfire.span_type") == "pending_span" or not (recorded.failed or _ended_with_answer(recorded)):
        return None
    return call_of(
        recorded,
        (IN_ATTRIBUTES[0], EVENTS_IN_AN_ATTRIBUTE[0], _request),
        (IN_ATTRIBUTES[1], EVENTS_IN_AN_ATTRIBUTE[1], _answer),
        model=word(facts, "gen_ai.request.model") or word(given, "model"),
        streaming=logged or flag(given, "stream"),
    )


def _ended_with_answer(recorded: Recorded) -> bool:
    return any(name in recorded.attributes for name in _ANSWERED)


def _request(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = side.json(recorded.attributes["request_data"])
    return asked(side, found) if isinstance(found, dict) and found.keys() - {"model", "stream"} else None


def _answer(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
    found = recorded.attributes.get("response_data")
    return None if found is None else answered(side, side.json(found))


def _lasted_s(recorded: Recorded) -> float | None:
    """A log takes no time, and says how long the stream did."""
    found = recorded.attributes.get("duration")
    return float(found) if isinstance(found, (int, float)) else None


def _call_id(recorded: Recorded) -> str | None:
    """The log of a stream knows no id, but it repeats what was asked."""
    found = [recorded.attributes.get(name) for name in ("request_data", "gen_ai.input.messages", "events")]
    return response_id(recorded) or "".join(each for each in found if isinstance(each, str))


DIALECT = Dialect("logfire", _speaks, _read, lasted_s=_lasted_s, call_id=_call_id)
