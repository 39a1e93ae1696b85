"""Ways through Amazon Bedrock's InvokeModel, with bodies of several makers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import enforcement_wire_anthropic as anthropic
import enforcement_wire_openai_chat as chat
from enforcement_common_ways import DENIED, disguises, malformed_bodies, malformed_chunks
from enforcement_table import AFTER, BEFORE, WORD, Way
from enforcement_wire_bedrock_invoke import llama, stream

way = partial(Way, wire="bedrock_invoke")
called = partial(way, is_edited=False, is_tool=True, before=None)
clean = partial(way, forbidden=None, verdicts=("complied",), actions=("block",))
TEXT = BEFORE + WORD + AFTER
CLAUDE: dict[str, Any] = {"model": "anthropic.claude-3", "asks": {"max_tokens": 9, "messages": [{"role": "user",
                          "content": "hi"}], "anthropic_version": "bedrock-2023-05-31"}}  # fmt: skip
CLAUDE_TEXT: dict[str, Any] = {"model": "anthropic.claude-v2", "asks": {"prompt": "\n\nHuman: hi\n\nAssistant:",
                               "max_tokens_to_sample": 9}}  # fmt: skip
JAMBA: dict[str, Any] = {"model": "ai21.jamba-1-5", "asks": {"messages": [{"role": "user", "content": "hi"}]}}
JURASSIC: dict[str, Any] = {"model": "ai21.j2-ultra-v1", "asks": {"prompt": "hi", "maxTokens": 9}}
NOVA: dict[str, Any] = {"model": "amazon.nova-lite", "asks": {"messages": [{"role": "user", "content":
                        [{"text": "hi"}]}]}}  # fmt: skip

MALFORMED: dict[str, Any] = {
    "text_null": llama(None, None),
    "text_dict": llama({"text": "x"}, None),
    "text_list": llama(["x"], None),
    "text_number": llama(28.0, None),
    "reason_dict": llama("x", {}),
    "count_text": llama("x", None) | {"prompt_token_count": "x"},
    "empty": {},
    "other_maker": {"outputText": "x"},
}
"""Pieces in which one value has a shape that no piece should have."""

MALFORMED_BODIES: dict[str, Any] = {
    "text_dict": llama({"text": WORD}),
    "text_list": llama([WORD]),
    "list": [llama(WORD)],
    "text": WORD,
    "unknown_maker": {"hologram": WORD},
    "nested": {"result": llama(WORD)},
}
"""Bodies of no known shape."""


def _makers() -> Iterator[Way]:
    """Yield the bodies of each maker of models."""
    bodies: dict[str, tuple[Any, dict[str, Any]]] = {
        "claude": (anthropic.body(anthropic.text(TEXT)), CLAUDE),
        "claude_completion": ({"type": "completion", "completion": TEXT, "stop_reason": "stop_sequence", "stop": None},
                              CLAUDE_TEXT),
        "jamba": (chat.message(TEXT, ), JAMBA),
        "jurassic": ({"id": 1, "prompt": {"text": "hi", "tokens": []}, "completions": [{"data": {"text": TEXT,
                     "tokens": []}, "finishReason": {"reason": "endoftext"}}]}, JURASSIC),
        "nova": ({"output": {"message": {"role": "assistant", "content": [{"text": TEXT}]}}, "stopReason": "end_turn",
                  "usage": {"inputTokens": 3, "outputTokens": 5}}, NOVA),
        "nova_output_list": ({"output": [{"text": TEXT}], "stopReason": "end_turn"}, NOVA),
        "nova_output_texts": ({"output": [TEXT], "stopReason": "end_turn"}, NOVA),
        "titan": ({"inputTextTokenCount": 3, "results": [{"tokenCount": 5, "outputText": TEXT,
                  "completionReason": "FINISH"}]}, {"model": "amazon.titan-text", "asks": {"inputText": "hi"}}),
        "mistral": ({"outputs": [{"text": TEXT, "stop_reason": "stop"}]}, {"model": "mistral.mistral-7b"}),
        "cohere": ({"generations": [{"text": TEXT, "finish_reason": "COMPLETE", "id": "g"}], "id": "c",
                   "prompt": "hi"}, {"model": "cohere.command-text"}),
        "cohere_chat": ({"text": TEXT, "generation_id": "g", "finish_reason": "COMPLETE", "response_id": "r"},
                        {"model": "cohere.command-r", "asks": {"message": "hi"}}),
    }  # fmt: skip
    for name, (sends, request) in bodies.items():
        yield way(name, 12, sends=sends, request=request, after=AFTER)
    spoken = anthropic.stream(BEFORE, WORD, AFTER)
    yield way("claude_stream", 12, sends=spoken, request=CLAUDE, after=AFTER)
    pieces = tuple({"type": "completion", "completion": each, "stop_reason": None, "stop": None}
                   for each in (BEFORE, WORD, AFTER))  # fmt: skip
    yield way("claude_completion_stream", 12, sends=pieces, request=CLAUDE_TEXT, after=AFTER)
    yield way("jamba_stream", 12, sends=chat.stream(BEFORE, WORD, AFTER), request=JAMBA, after=AFTER)
    nova = tuple({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": each}}}
                 for each in (BEFORE, WORD, AFTER))  # fmt: skip
    yield way("nova_stream", 12, sends=({"messageStart": {"role": "assistant"}}, *nova, {"messageStop":
              {"stopReason": "end_turn"}}), request=NOVA, after=AFTER)  # fmt: skip
    titan = tuple({"outputText": each, "index": 0, "completionReason": None} for each in (BEFORE, WORD, AFTER))
    yield way("titan_stream", 12, sends=titan, request={"model": "amazon.titan-text", "asks": {"inputText": "hi"}},
              after=AFTER)  # fmt: skip


def _more() -> Iterator[Way]:
    """Yield answers of Claude's and of Llama's that are hard to read."""
    opened = (anthropic.begin(), anthropic.start(anthropic.text("")), anthropic.delta(BEFORE))
    late = (*opened, anthropic.reason(), anthropic.delta(WORD), anthropic.delta(AFTER), *anthropic.END)
    yield way("text_after_reason", 2, sends=late, request=CLAUDE, after=AFTER)
    for name, why in (("stop", "stop"), ("empty", ""), ("length", "length")):
        yield way(f"finish_{name}_on_every_piece", 2, sends=tuple(llama(each, why) for each in (BEFORE, WORD, AFTER)),
                  after=AFTER)  # fmt: skip
    use = anthropic.tool("forbidden_tool", {}, "t2")
    two = (anthropic.begin(), anthropic.start(anthropic.tool("search", {})), anthropic.start(use), *anthropic.END)
    yield called("two_calls_one_index", 3, sends=two, request=CLAUDE, **DENIED)
    function = {"name": "search", "arguments": "FORBIDDEN"}
    said = (chat.chunk({"function_call": function}), chat.chunk(finish="stop"))
    yield called("function_call_stream", 4, sends=said, request=JAMBA)
    asked = partial(way, request=JAMBA, pattern={"parts": ["reasoning"]}, actions=("block",))
    twice = chat.message(BEFORE, reasoning_content="hm", reasoning=WORD)
    yield asked("reasoning_beside_reasoning_content", 5, sends=twice)
    pieces = [chat.chunk({"reasoning_content": "hm", "reasoning": each}) for each in ("FORB", "IDDEN")]
    yield asked("reasoning_beside_reasoning_content_stream", 5, sends=(*pieces, chat.chunk(finish="stop")), before=None)
    cited = {"type": "char_location", "cited_text": WORD, "document_index": 0, "document_title": "x"}
    yield way("citation", 5, sends=anthropic.body(anthropic.text(BEFORE, citations=[cited])), request=CLAUDE,
              is_edited=None)  # fmt: skip
    written = "F\\u004fRBIDDEN"
    yield way("json_escape_stream", 10, sends=stream('{"a": "', written, '"}'), forbidden=written, before='{"a": "')
    counted = {"gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 5}
    floats = llama("x") | {"prompt_token_count": 28.0, "generation_token_count": 5.0}
    yield clean("float_counts", 12, sends=floats, facts=counted)
    headers = {"x-amzn-bedrock-input-token-count": "28", "x-amzn-bedrock-output-token-count": "5"}
    unusable = llama("x") | {"prompt_token_count": "many", "generation_token_count": None}
    yield clean("counts_of_the_headers", 12, sends=unusable, headers=headers, facts=counted)
    absent = {"gen_ai.usage.input_tokens": None, "gen_ai.usage.output_tokens": None}
    yield clean("unusable_counts", 12, sends=unusable, facts=absent)
    completion = {"type": "completion", "completion": "x", "stop_reason": "stop_sequence", "stop": None}
    named = {"gen_ai.operation.name": "text_completion", "gen_ai.response.finish_reasons": ("stop",)}
    yield clean("claude_completion_facts", 12, sends=completion, request=CLAUDE_TEXT, facts=named)
    jamba = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 5}
    yield clean("jamba_facts", 12, sends=chat.message("x"), request=JAMBA, facts=jamba)


WAYS = (
    *malformed_chunks("bedrock_invoke", MALFORMED, (llama(BEFORE, None),), (llama(WORD, None), llama(AFTER, None),
                      llama(""))),
    *malformed_bodies("bedrock_invoke", MALFORMED_BODIES),
    *_makers(),
    *_more(),
    *disguises("bedrock_invoke"),
)  # fmt: skip
