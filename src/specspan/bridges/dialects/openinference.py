"""OpenInference: every value an attribute of its own, numbered (`llm.input_messages.0.message.content`).

Source: https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

from specspan.bridges.attribute_values import mapping, numbered, usage, word
from specspan.bridges.conventions import OPERATIONS
from specspan.bridges.dialect import Dialect, Facts, Recorded
from specspan.bridges.recorded_content import NOT_RECORDED, NOT_UNDERSTOOD, Side, finish_reasons, gaps
from specspan.call import (
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
)
from specspan.instrument.formats.fields import media_reference

_KINDS = {"LLM": "chat", "EMBEDDING": "embeddings"}
_USAGE = {
    "input_tokens": ("llm.token_count.prompt",),
    "output_tokens": ("llm.token_count.completion",),
    "cache_read_input_tokens": ("llm.token_count.prompt_details.cache_read",),
    "cache_write_input_tokens": ("llm.token_count.prompt_details.cache_write",),
    "reasoning_output_tokens": ("llm.token_count.completion_details.reasoning",),
}
_MEDIA = ("image", "audio", "video", "file")


def _read(recorded: Recorded) -> ModelCall:
    facts, sent, came = recorded.attributes, Side(recorded), Side(recorded)
    operation = _KINDS[str(facts["openinference.span.kind"])]
    given = mapping(facts.get("llm.invocation_parameters"))
    request = Request(
        provider=word(facts, "llm.provider", "llm.system") or "unknown",
        operation=OPERATIONS.get(operation, operation),
        model=word(given, "model", "model_name") or word(facts, "llm.model_name", "embedding.model_name"),
        input=_messages(sent, facts, "input") if operation == "chat" else _embedded(sent, facts),
        tools=tuple(mapping(facts.get(at + "tool.json_schema")) for at in numbered(facts, "llm.tools.")),
        streaming=given.get("stream") is True,
        conversation=word(facts, "session.id"),
    )
    output = _messages(came, facts, "output") if operation == "chat" else ()
    response = None if recorded.failed and not output else _response(facts, output)
    return ModelCall(request, response, gaps=gaps(sent, came, response))


def _response(facts: Facts, output: tuple[Message, ...]) -> Response:
    reason = word(facts, "llm.finish_reason")
    return Response(
        id=word(mapping(facts.get("output.value")), "id"),
        model=word(facts, "llm.model_name", "embedding.model_name"),
        output=output,
        finish_reasons=finish_reasons(output, (reason,) if reason else ()),
        usage=usage(facts, _USAGE),
    )


def _messages(side: Side, facts: Facts, which: str) -> tuple[Message, ...]:
    found = list(numbered(facts, f"llm.{which}_messages."))
    if not found:
        side.missed(NOT_RECORDED)
    return tuple(_message(side, facts, at + "message.") for at in found)


def _embedded(side: Side, facts: Facts) -> tuple[Message, ...]:
    found = list(numbered(facts, "embedding.embeddings."))
    if not found:
        side.missed(NOT_RECORDED)
    return tuple(Message("user", (Text(side.told(facts.get(at + "embedding.text"))),)) for at in found)


def _message(side: Side, facts: Facts, at: str) -> Message:
    role = word(facts, at + "role") or "assistant"
    found: list[Part] = []
    if at + "content" in facts:
        found.append(_text(role, side.told(facts[at + "content"]), word(facts, at + "tool_call_id")))
    found += [_content(side, facts, each + "message_content.") for each in numbered(facts, at + "contents.")]
    found += [_tool_call(side, facts, each + "tool_call.") for each in numbered(facts, at + "tool_calls.")]
    if not found:  # its texts are hidden, or it said nothing: the two look the same
        side.missed(NOT_RECORDED, "text")
    return Message(role, tuple(found))


def _content(side: Side, facts: Facts, at: str) -> Part:
    kind = word(facts, at + "type")
    if kind in ("text", "output_text", "input_text"):
        return Text(side.told(facts.get(at + "text")))
    if kind in ("reasoning", "thinking"):
        return Reasoning(side.told(facts.get(at + "text")))
    if kind in _MEDIA:
        return Media(str(kind), *media_reference(facts.get(f"{at}{kind}.{kind}.url")))
    side.missed(NOT_UNDERSTOOD)
    return Media("file")


def _tool_call(side: Side, facts: Facts, at: str) -> ToolCall:
    name = side.told(facts.get(at + "function.name"), "tool_calls")
    return ToolCall(name, side.arguments_of(facts.get(at + "function.arguments")), word(facts, at + "id"))


def _text(role: str, text: str, call_id: str | None) -> Part:
    return ToolCallResponse(text, call_id) if role in ("tool", "function") else Text(text)


DIALECT = Dialect("openinference", lambda recorded: recorded.attributes.get("openinference.span.kind") in _KINDS, _read)
