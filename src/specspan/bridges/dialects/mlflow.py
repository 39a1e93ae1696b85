"""MLflow: what was given and what came back, as JSON, in the shape of the client that was traced.

Every attribute of its own is JSON, names of kinds included.

Source: https://mlflow.org/docs/latest/genai/tracing/opentelemetry/
"""

from __future__ import annotations

from specspan.bridges import messages as bodies
from specspan.bridges.attribute_values import from_json, mapping, usage, word
from specspan.bridges.conventions import tools
from specspan.bridges.dialect import Dialect, Facts, Recorded
from specspan.bridges.recorded_content import NOT_RECORDED, Side, finish_reasons, gaps
from specspan.call import Message, ModelCall, Request, Response

_KINDS = {"CHAT_MODEL": "chat", "LLM": "chat", "EMBEDDING": "embeddings"}
_USAGE = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_input_tokens": ("cache_read_input_tokens",),
    "cache_write_input_tokens": ("cache_creation_input_tokens",),
}


def _read(recorded: Recorded) -> ModelCall | None:
    facts, sent, came = recorded.attributes, Side(recorded), Side(recorded)
    operation = _KINDS.get(_own(facts, "mlflow.spanType") or "")
    if operation is None:
        return None
    given = sent.json(facts.get("mlflow.spanInputs"))
    gave = came.json(facts.get("mlflow.spanOutputs")) if operation == "chat" else None
    if given is None:
        sent.missed(NOT_RECORDED)
    body = mapping(given)
    request = Request(
        provider=_own(facts, "mlflow.llm.provider") or _own(facts, "mlflow.message.format") or "unknown",
        operation=operation,
        model=_own(facts, "mlflow.llm.model") or word(body, "model"),
        input=bodies.asked(sent, given) if given is not None else (),
        tools=tools(facts.get("mlflow.chat.tools")) or tools(body.get("tools")),
        streaming=body.get("stream") is True,
    )
    output = _output(came, gave) if operation == "chat" else ()
    response = None if recorded.failed and not output else _response(facts, mapping(gave), output)
    return ModelCall(request, response, gaps=gaps(sent, came, response))


def _output(came: Side, gave: object) -> tuple[Message, ...]:
    if gave is None:
        came.missed(NOT_RECORDED)
        return ()
    return bodies.answered(came, gave)


def _response(facts: Facts, gave: Facts, output: tuple[Message, ...]) -> Response:
    return Response(
        id=word(gave, "id"),
        model=word(gave, "model"),
        output=output,
        finish_reasons=finish_reasons(output),
        usage=usage(mapping(facts.get("mlflow.chat.tokenUsage")), _USAGE),
    )


def _own(facts: Facts, name: str) -> str | None:
    """A word, which is JSON of one, or not."""
    found = facts.get(name)
    return word({name: from_json(found)}, name) or word(facts, name)


DIALECT = Dialect("mlflow", lambda recorded: "mlflow.spanType" in recorded.attributes, _read)
