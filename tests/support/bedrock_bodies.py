"""What models say through Amazon Bedrock's InvokeModel, each in the shape of its maker: asked, answered, streamed."""

from __future__ import annotations

from typing import Any

from replays import Facts

from specspan.call import Usage

HI = [{"role": "user", "content": "hi"}]
METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 3, "outputTokenCount": 7, "firstByteLatency": 1}}


def known(operation: str = "chat", **more: Any) -> Facts:
    """What every answer of these tests says, and ``more``."""
    return Facts("aws.bedrock", operation, "m", **{"usage": Usage(3, 7), "finish_reasons": ("stop",), **more})


CALL = {"type": "tool_use", "id": "t1", "name": "search", "input": {"q": "x"}}
CALLED = (("t1", "search", {"q": "x"}),)
CLAUDE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "end_turn"}
CLAUDE_ASKED = {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9, "messages": HI}
NOVA_ASKED = {"messages": [{"role": "user", "content": [{"text": "hi"}]}]}
COUNTS = {"input_tokens": 3, "output_tokens": 7}

PLAIN: dict[str, tuple[dict[str, Any], dict[str, Any], Facts]] = {
    "anthropic": (
        CLAUDE_ASKED,
        {**CLAUDE, "content": [{"type": "text", "text": "So."}, CALL], "usage": COUNTS},
        known(response_id="msg_1", response_model="claude", texts=("So.",), tool_calls=CALLED),
    ),
    "anthropic before messages": (
        {"prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": 9},
        {"completion": "So.", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        known("text_completion", texts=("So.",)),
    ),
    "anthropic before messages, with a type": (
        {"prompt": "\n\nHuman: hi\n\nAssistant:", "max_tokens_to_sample": 9},
        {"type": "completion", "completion": "So.", "stop_reason": "stop_sequence", "stop": "\n\nHuman:"},
        known("text_completion", texts=("So.",)),
    ),
    "jurassic": (
        {"prompt": "hi", "maxTokens": 9},
        {
            "id": 1234,
            "prompt": {"text": "hi", "tokens": []},
            "completions": [
                {
                    "data": {"text": "So.", "tokens": []},
                    "finishReason": {"reason": "endoftext"},
                }
            ],
        },
        known("text_completion", response_id="1234", texts=("So.",)),
    ),
    "jamba": (
        {"messages": HI, "max_tokens": 9},
        {
            "id": "chat-1",
            "model": "jamba-1.5",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "So."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10},
        },
        known(response_id="chat-1", response_model="jamba-1.5", texts=("So.",)),
    ),
    "counts written as floats": (
        {"prompt": "hi"},
        {"generation": "So.", "prompt_token_count": 30.0, "generation_token_count": 70.0, "stop_reason": "stop"},
        known("text_completion", texts=("So.",), usage=Usage(30, 70)),
    ),
    "one count of two": (
        {"prompt": "hi"},
        {"generation": "So.", "prompt_token_count": 30, "generation_token_count": None, "stop_reason": "stop"},
        known("text_completion", texts=("So.",), usage=Usage(30, 7)),
    ),
    "nova": (
        NOVA_ASKED,
        {
            "output": {
                "message": {
                    "role": "assistant",
                    "content": [
                        {"text": "So."},
                        {"toolUse": {"toolUseId": "t1", "name": "search", "input": {"q": "x"}}},
                    ],
                }
            },
            "stopReason": "tool_use",
            "usage": {
                "inputTokens": 1,
                "outputTokens": 7,
                "cacheReadInputTokenCount": 2,
                "cacheWriteInputTokenCount": 0,
            },
        },
        known(texts=("So.",), tool_calls=CALLED, finish_reasons=("tool_calls",), usage=Usage(3, 7, 2, 0)),
    ),
    "titan": (
        {"inputText": "hi", "textGenerationConfig": {"maxTokenCount": 9}},
        {"inputTextTokenCount": 3, "results": [{"tokenCount": 7, "outputText": "So.", "completionReason": "FINISH"}]},
        known("text_completion", texts=("So.",)),
    ),
    "llama": (
        {"prompt": "hi", "max_gen_len": 9},
        {"generation": "So.", "prompt_token_count": 3, "generation_token_count": 7, "stop_reason": "stop"},
        known("text_completion", texts=("So.",)),
    ),
    "mistral": (
        {"prompt": "<s>[INST] hi [/INST]", "max_tokens": 9},
        {"outputs": [{"text": "So.", "stop_reason": "stop"}]},
        known("text_completion", texts=("So.",)),
    ),
    "cohere command": (
        {"prompt": "hi", "num_generations": 2},
        {
            "id": "c1",
            "generations": [{"id": "a", "text": text, "finish_reason": "COMPLETE"} for text in ("So.", "Or.")],
        },
        known("text_completion", response_id="c1", texts=("So.", "Or."), finish_reasons=("stop", "stop")),
    ),
    "cohere command r": (
        {"message": "hi", "preamble": "Be kind.", "chat_history": [{"role": "USER", "message": "yo"}]},
        {
            "response_id": "r1",
            "generation_id": "g1",
            "text": "So.",
            "finish_reason": "COMPLETE",
            "tool_calls": [{"name": "search", "parameters": {"q": "x"}}],
        },
        known(response_id="r1", texts=("So.",), tool_calls=((None, "search", {"q": "x"}),)),
    ),
    "chat completions": (
        {"messages": HI},
        {
            "id": "c1",
            "model": "gpt-oss",
            "choices": [
                {
                    "index": 0,
                    "message": {
                        "role": "assistant",
                        "content": "So.",
                        "tool_calls": [{"id": "t1", "function": {"name": "search", "arguments": '{"q": "x"}'}}],
                    },
                    "finish_reason": "tool_calls",
                }
            ],
            "usage": {"prompt_tokens": 3, "completion_tokens": 7, "completion_tokens_details": {"reasoning_tokens": 2}},
        },
        known(
            usage=Usage(3, 7, reasoning_output_tokens=2),
            response_id="c1",
            response_model="gpt-oss",
            texts=("So.",),
            tool_calls=CALLED,
            finish_reasons=("tool_calls",),
        ),
    ),
    "mistral chat": (
        {"messages": HI},
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "So."}, "stop_reason": "stop"}]},
        known(texts=("So.",)),
    ),
    "deepseek": (
        {"prompt": "hi"},
        {"choices": [{"text": "So.", "stop_reason": "stop"}]},
        known("text_completion", texts=("So.",)),
    ),
    "embeddings": (
        {"inputText": "hi"},
        {"embedding": [0.5], "inputTextTokenCount": 3},
        known("text_completion", usage=Usage(3), finish_reasons=()),
    ),
    "images": (
        {"prompt": "a cat"},
        {"images": ["aGk="], "finish_reasons": [None]},
        known("text_completion", finish_reasons=()),
    ),
}
STREAMED: dict[str, tuple[dict[str, Any], list[dict[str, Any]], Facts]] = {
    "anthropic": (
        CLAUDE_ASKED,
        [
            {
                "type": "message_start",
                "message": {
                    **CLAUDE,
                    "content": [],
                    "stop_reason": None,
                    "usage": {"input_tokens": 3, "output_tokens": 1},
                },
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "S"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "o."}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_start", "index": 1, "content_block": {**CALL, "input": {}}},
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "input_json_delta", "partial_json": '{"q": "x"}'},
            },
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 7}},
            {
                "type": "message_stop",
                "amazon-bedrock-invocationMetrics": {"inputTokenCount": 99, "outputTokenCount": 98},
            },
        ],
        known(
            response_id="msg_1",
            response_model="claude",
            texts=("So.",),
            tool_calls=CALLED,
            finish_reasons=("tool_calls",),
        ),
    ),
    "nova": (
        NOVA_ASKED,
        [
            {"messageStart": {"role": "assistant"}},
            {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "S"}}},
            {"contentBlockStop": {"contentBlockIndex": 0}},
            {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"text": "o."}}},
            {"contentBlockStop": {"contentBlockIndex": 1}},
            {
                "contentBlockStart": {
                    "contentBlockIndex": 2,
                    "start": {"toolUse": {"toolUseId": "t1", "name": "search"}},
                }
            },
            {"contentBlockDelta": {"contentBlockIndex": 2, "delta": {"toolUse": {"input": '{"q": "x"}'}}}},
            {"messageStop": {"stopReason": "tool_use"}},
            {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 7}}, **METRICS},
        ],
        known(texts=("So.",), tool_calls=CALLED, finish_reasons=("tool_calls",)),
    ),
    "titan": (
        {"inputText": "hi"},
        [
            {
                "outputText": "S",
                "index": 0,
                "totalOutputTextTokenCount": None,
                "completionReason": None,
                "inputTextTokenCount": 3,
            },
            {
                "outputText": "o.",
                "index": 1,
                "totalOutputTextTokenCount": 7,
                "completionReason": "FINISH",
                "inputTextTokenCount": None,
            },
        ],
        known("text_completion", texts=("So.",)),
    ),
    "llama": (
        {"prompt": "hi"},
        [
            {"generation": "S", "prompt_token_count": 3, "generation_token_count": 1, "stop_reason": None},
            {"generation": "o.", "prompt_token_count": None, "generation_token_count": 7, "stop_reason": "stop"},
        ],
        known("text_completion", texts=("So.",)),
    ),
    "mistral": (
        {"prompt": "hi"},
        [
            {"outputs": [{"text": "S", "stop_reason": None}]},
            {"outputs": [{"text": "o.", "stop_reason": "stop"}], **METRICS},
        ],
        known("text_completion", texts=("So.",)),
    ),
    "cohere command": (
        {"prompt": "hi", "num_generations": 2},
        [
            {"index": 0, "text": "S", "is_finished": False},
            {"index": 1, "text": "Or.", "is_finished": False},
            {"index": 0, "text": "o.", "is_finished": False},
            {"index": 0, "is_finished": True, "finish_reason": "COMPLETE"},
            {"index": 1, "is_finished": True, "finish_reason": "MAX_TOKENS", **METRICS},
        ],
        known("text_completion", texts=("So.", "Or."), finish_reasons=("stop", "length")),
    ),
    "cohere command r": (
        {"message": "hi"},
        [
            {"is_finished": False, "event_type": "stream-start", "generation_id": "g1"},
            {"is_finished": False, "event_type": "text-generation", "text": "S"},
            {"is_finished": False, "event_type": "text-generation", "text": "o."},
            {
                "is_finished": False,
                "event_type": "tool-calls-generation",
                "tool_calls": [{"name": "search", "parameters": {"q": "x"}}],
            },
            {
                "is_finished": True,
                "event_type": "stream-end",
                "finish_reason": "COMPLETE",
                "response": {"response_id": "r1", "generation_id": "g1", "text": "So.", "finish_reason": "COMPLETE"},
                **METRICS,
            },
        ],
        known(response_id="r1", texts=("So.",), tool_calls=((None, "search", {"q": "x"}),)),
    ),
    "chat completions": (
        {"messages": HI},
        [
            {
                "id": "c1",
                "model": "gpt-oss",
                "choices": [{"index": 0, "delta": {"role": "assistant", "content": "S"}, "finish_reason": None}],
            },
            {
                "id": "c1",
                "model": "gpt-oss",
                "choices": [{"index": 0, "delta": {"content": "o."}, "finish_reason": None}],
            },
            {
                "id": "c1",
                "model": "gpt-oss",
                "choices": [
                    {
                        "index": 0,
                        "delta": {
                            "tool_calls": [
                                {"index": 0, "id": "t1", "function": {"name": "search", "arguments": '{"q": '}}
                            ]
                        },
                    }
                ],
            },
            {
                "id": "c1",
                "model": "gpt-oss",
                "choices": [
                    {
                        "index": 0,
                        "delta": {"tool_calls": [{"index": 0, "function": {"arguments": '"x"}'}}]},
                        "finish_reason": "tool_calls",
                    }
                ],
            },
            {"id": "c1", "model": "gpt-oss", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 7}},
        ],
        known(
            response_id="c1",
            response_model="gpt-oss",
            texts=("So.",),
            tool_calls=CALLED,
            finish_reasons=("tool_calls",),
        ),
    ),
    "mistral chat": (
        {"messages": HI},
        [
            {"choices": [{"index": 0, "message": {"role": "assistant", "content": "S"}, "stop_reason": None}]},
            {
                "choices": [{"index": 0, "message": {"role": "assistant", "content": "o."}, "stop_reason": "stop"}],
                **METRICS,
            },
        ],
        known(texts=("So.",)),
    ),
    "deepseek": (
        {"prompt": "hi"},
        [
            {"choices": [{"text": "S", "stop_reason": None}]},
            {"choices": [{"text": "o.", "stop_reason": "stop"}], **METRICS},
        ],
        known("text_completion", texts=("So.",)),
    ),
}
