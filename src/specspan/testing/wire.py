"""Replies in the form of OpenAI's chat completions API, whole and streamed.

Source: https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from specspan.call import ToolCall
from specspan.testing.script import Prompt, Reply, text_of

FINGERPRINT = "specspan-scripted-model"
_PIECE = 12
"""Number of characters of tool-call arguments in one streamed chunk."""


def completion(id_: str, prompt: Prompt, reply: Reply) -> dict[str, Any]:
    """Return the whole answer as one ``chat.completion`` object."""
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(id_, index, call) for index, call in enumerate(reply.tool_calls)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish_reason(reply)}
    return {**_frame(id_, prompt, "chat.completion"), "choices": [choice], "usage": usage(prompt, reply)}


def chunks(id_: str, prompt: Prompt, reply: Reply, *, include_usage: bool) -> Iterator[dict[str, Any]]:
    """Yield the answer as ``chat.completion.chunk`` objects, with usage in the last where ``include_usage`` is True."""
    frame = _frame(id_, prompt, "chat.completion.chunk")
    for delta in _deltas(id_, reply):
        yield {**frame, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}]}
    yield {
        **frame,
        "choices": [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": _finish_reason(reply)}],
    }
    if include_usage:
        yield {**frame, "choices": [], "usage": usage(prompt, reply)}


def error(status: int, message: str) -> dict[str, Any]:
    """Return the body of an error answer."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def usage(prompt: Prompt, reply: Reply) -> dict[str, Any]:
    """Return token counts. A scripted model has no tokenizer: **a token is a word here**, text between white space."""
    prompt_tokens = sum(len(text_of(message).split()) for message in prompt.messages)
    completion_tokens = len(reply.text.split()) + sum(len(_arguments(call).split()) for call in reply.tool_calls)
    counts: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    if reply.cached_tokens:
        counts["prompt_tokens_details"] = {"cached_tokens": reply.cached_tokens}
    return counts


def _frame(id_: str, prompt: Prompt, kind: str) -> dict[str, Any]:
    return {"id": id_, "object": kind, "created": 0, "model": prompt.model, "system_fingerprint": FINGERPRINT}


def _deltas(id_: str, reply: Reply) -> Iterator[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for piece in reply.chunks if reply.chunks is not None else re.findall(r"\s*\S+\s*", reply.text):
        yield {"content": piece}
    for index, call in enumerate(reply.tool_calls):
        whole = _tool_call(id_, index, call)
        arguments = whole["function"]["arguments"]
        yield {"tool_calls": [{**whole, "index": index, "function": {"name": call.name, "arguments": ""}}]}
        for start in range(0, len(arguments), _PIECE):
            function = {"arguments": arguments[start : start + _PIECE]}
            yield {"tool_calls": [{"index": index, "function": function}]}


def _tool_call(id_: str, index: int, call: ToolCall) -> dict[str, Any]:
    function: Mapping[str, str] = {"name": call.name, "arguments": _arguments(call)}
    return {"id": call.id or f"call-{id_}-{index}", "type": "function", "function": function}


def _arguments(call: ToolCall) -> str:
    return call.arguments if isinstance(call.arguments, str) else json.dumps(call.arguments or {})


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool_calls else "stop"
