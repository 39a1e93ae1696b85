"""What OpenTelemetry's GenAI conventions name, in all the ages in which it is still written.

Whoever speaks another dialect of them says what its own names are: where messages stand is a list of readers, of which
the first counts that finds something.

Source: https://github.com/open-telemetry/semantic-conventions-genai, and semantic conventions 1.26 to 1.41.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from specspan.bridges.attribute_values import flag, from_json, mapping, usage, word, words
from specspan.bridges.dialect import Event, Facts, Recorded
from specspan.bridges.messages import message, messages, parts
from specspan.bridges.recorded_content import NOT_RECORDED, Side, finish_reasons, gaps
from specspan.call import Message, ModelCall, Request, Response
from specspan.record.conventions import EVENT_OPERATION_DETAILS

Reader: TypeAlias = Callable[[Side, Recorded], "tuple[Message, ...] | None"]
"""Messages of one side; None where they are not recorded in this way."""

OPERATIONS = {
    "completion": "text_completion",
    "text": "text_completion",
    "embedding": "embeddings",
    "message": "chat",
    "responses": "chat",
}
MODEL_OPERATIONS = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_USAGE = {
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "cache_read_input_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
    ),
    "cache_write_input_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning_output_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
    ),
}
_ROLES = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_STREAMING = ("gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming", "langsmith.request.streaming")


def is_call(facts: Facts) -> bool:
    """Whether attributes under `gen_ai.` are those of a model call."""
    operation = word(facts, "gen_ai.operation.name")
    if operation is not None:
        return OPERATIONS.get(operation, operation) in MODEL_OPERATIONS
    return "gen_ai.request.model" in facts


def call_of(recorded: Recorded, asked: Sequence[Reader], answered: Sequence[Reader], **known: Any) -> ModelCall:
    """The call, its messages found by the first reader of each side that finds some.

    ``known``: fields of the request that this dialect has other names for.
    """
    recorded = _with_details(recorded)
    facts, sent, came = recorded.attributes, Side(recorded), Side(recorded)
    operation = word(facts, "gen_ai.operation.name", "llm.request.type") or "chat"
    fields: dict[str, Any] = {
        "provider": word(facts, "gen_ai.provider.name", "gen_ai.system") or "unknown",
        "operation": OPERATIONS.get(operation, operation),
        "model": word(facts, "gen_ai.request.model"),
        "system_instructions": parts(sent, facts["gen_ai.system_instructions"])
        if facts.get("gen_ai.system_instructions")
        else (),
        "tools": tools(facts.get("gen_ai.tool.definitions")),
        "streaming": flag(facts, *_STREAMING),
        "server_address": word(facts, "server.address"),
        "conversation": word(facts, "gen_ai.conversation.id"),
        **known,
    }
    request = Request(**fields, input=_first(asked, sent, recorded))
    response = _response(recorded, came, answered, request)
    return ModelCall(request, response, gaps=gaps(sent, came, response))


def _with_details(recorded: Recorded) -> Recorded:
    """With what the one log record of the call says, where its content stands there and not on the span."""
    details = next((event for event in recorded.events if event.name == EVENT_OPERATION_DETAILS), None)
    if details is None:
        return recorded
    return replace(recorded, attributes={**details.attributes, **recorded.attributes})


def _response(recorded: Recorded, came: Side, answered: Sequence[Reader], request: Request) -> Response | None:
    """None: it failed, and nothing was answered."""
    facts = recorded.attributes
    output: tuple[Message, ...] = ()
    if request.operation == "embeddings":  # it answers with numbers
        came.text = came.tool_calls = came.arguments = None
    else:
        output = _first(answered, came, recorded)
    if recorded.failed and not output:
        return None
    return Response(
        id=word(facts, "gen_ai.response.id"),
        model=word(facts, "gen_ai.response.model"),
        output=output,
        finish_reasons=finish_reasons(output, words(facts.get("gen_ai.response.finish_reasons"))),
        usage=usage(facts, _USAGE),
    )


def _first(readers: Sequence[Reader], side: Side, recorded: Recorded) -> tuple[Message, ...]:
    for reader in readers:
        found = reader(side, recorded)
        if found is not None:
            return found
    side.missed(NOT_RECORDED)
    return ()


def tools(recorded: Any) -> tuple[Mapping[str, Any], ...]:
    """Definitions of tools, or JSON of them."""
    found = from_json(recorded) if isinstance(recorded, str) else recorded
    return tuple(each for each in found if isinstance(each, Mapping)) if isinstance(found, (list, tuple)) else ()


def under(name: str, role: str) -> Reader:
    """Messages that are one attribute: JSON or, where they were handed over in the process, a list."""

    def read(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
        found = recorded.attributes.get(name)
        return None if found is None else messages(side, found, role)

    return read


def said_in_events(events: Callable[[Recorded], Sequence[Event]]) -> tuple[Reader, Reader]:
    """What was asked and what was answered, an event each."""

    def asked(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
        found = [event for event in events(recorded) if event.name in _ROLES]
        return tuple(_in_event(side, _body(each), _ROLES[each.name]) for each in found) if found else None

    def answered(side: Side, recorded: Recorded) -> tuple[Message, ...] | None:
        found = [_body(event) for event in events(recorded) if event.name == "gen_ai.choice"]
        return tuple(_choice(side, each) for each in found) if found else None

    return asked, answered


def _body(event: Event) -> Facts:
    """What an event says, in its body or, as events of spans have none, in an attribute of JSON or several."""
    if event.body is not None:
        return mapping(event.body)
    return mapping(event.attributes.get("gen_ai.event.content")) or event.attributes


def _choice(side: Side, body: Facts) -> Message:
    said = body.get("message")
    inner = mapping(said) or {"content": said if isinstance(said, str) else body.get("content")}
    return _in_event(side, {**inner, "finish_reason": body.get("finish_reason")}, "assistant")


def _in_event(side: Side, body: Facts, role: str) -> Message:
    """A message; one without content has none, or nobody recorded it: tool calls without arguments tell which."""
    said = {**body, "tool_call_id": body.get("tool_call_id") or body.get("id")}
    made = message(side, said, role)
    if side.arguments is not None and body.get("content") is None:
        side.missed(NOT_RECORDED, "text")
    return made


def _in_an_attribute(recorded: Recorded) -> list[Event]:
    found = from_json(recorded.attributes.get("events"))
    return [
        Event(str(each.get("event.name")), each, each)
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, Mapping)
    ]


EVENTS = said_in_events(lambda recorded: recorded.events)
EVENTS_IN_AN_ATTRIBUTE = said_in_events(_in_an_attribute)
"""Events as JSON in the attribute `events`, as Logfire and Pydantic AI write them."""
IN_ATTRIBUTES = under("gen_ai.input.messages", "user"), under("gen_ai.output.messages", "assistant")
