"""OpenTelemetry's GenAI conventions, as its own instrumentations write them and most others do by now.

Content stands in `gen_ai.input.messages` and `gen_ai.output.messages`, on the span, in a log record, or handed over by
a completion hook; before that, in one event a message.
"""

from __future__ import annotations

from specspan.bridges.conventions import EVENTS, IN_ATTRIBUTES, Reader, call_of, is_call, under
from specspan.bridges.dialect import Dialect, Recorded
from specspan.bridges.recorded_content import Side
from specspan.call import Message, ModelCall


def _in_one_event(name: str, attribute: str, role: str) -> Reader:
    """Semantic conventions 1.27: all messages of a side as JSON in one event of the span."""

    def read(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
        found = next((event for event in recorded.events if event.name == name), None)
        return None if found is None else under(attribute, role)(side, Recorded(found.attributes))

    return read


_ASKED = (IN_ATTRIBUTES[0], EVENTS[0], _in_one_event("gen_ai.content.prompt", "gen_ai.prompt", "user"))
_ANSWERED = (
    IN_ATTRIBUTES[1],
    EVENTS[1],
    _in_one_event("gen_ai.content.completion", "gen_ai.completion", "assistant"),
)


def _read(recorded: Recorded) -> ModelCall:
    return call_of(recorded, _ASKED, _ANSWERED)


DIALECT = Dialect("gen_ai", lambda recorded: is_call(recorded.attributes), _read, general=True)
