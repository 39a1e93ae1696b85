"""Pydantic AI, in all versions of its format: events as log records, events as JSON, the conventions' messages.

Its agents' spans hold whole conversations; the calls that make them have spans of their own, and those are decided.

Source: https://ai.pydantic.dev/logfire/#data-format
"""

from __future__ import annotations

from specspan.bridges.conventions import EVENTS, EVENTS_IN_AN_ATTRIBUTE, IN_ATTRIBUTES, call_of, is_call
from specspan.bridges.dialect import Dialect, Recorded
from specspan.call import ModelCall

_OF_AGENTS = ("pydantic_ai.all_messages", "all_messages_events")


def _read(recorded: Recorded) -> ModelCall | None:
    if not is_call(recorded.attributes) or any(name in recorded.attributes for name in _OF_AGENTS):
        return None
    asked, answered = zip(IN_ATTRIBUTES, EVENTS_IN_AN_ATTRIBUTE, EVENTS, strict=True)
    return call_of(recorded, asked, answered)


DIALECT = Dialect("pydantic_ai", lambda recorded: recorded.scope == "pydantic-ai", _read)
