"""Attribute, event and scope names that other instrumentation records and specspan reads.

Each block names its source. The names that specspan itself records are in `specspan.record.conventions`. A tuple lists
the names of one fact in the order in which they are tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specspan.record import conventions as own

# GenAI conventions in their older versions (semantic conventions 1.26 to 1.40), and token counts of other dialects.
SYSTEM: Final = "gen_ai.system"
PROMPT: Final = "gen_ai.prompt"
COMPLETION: Final = "gen_ai.completion"
EVENT_CONTENT_PROMPT: Final = "gen_ai.content.prompt"
EVENT_CONTENT_COMPLETION: Final = "gen_ai.content.completion"
EVENT_CHOICE: Final = "gen_ai.choice"
EVENT_ROLES: Final[Mapping[str, str]] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
"""Role of the message that an event holds."""
EVENT_CONTENT: Final = "gen_ai.event.content"
EVENT_NAME: Final = "event.name"
EVENT_PREFIX: Final = "gen_ai."
STREAMING: Final = (
    own.REQUEST_STREAM,
    "gen_ai.is_streaming",
    "llm.is_streaming",
    "langsmith.request.streaming",
)
USAGE: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": (own.USAGE_INPUT_TOKENS, "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
    "output_tokens": (own.USAGE_OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    "cache_read_input_tokens": (
        own.USAGE_CACHE_READ_INPUT_TOKENS,
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
    ),
    "cache_write_input_tokens": (
        own.USAGE_CACHE_WRITE_INPUT_TOKENS,
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.details.cache_write_tokens",
    ),
    "reasoning_output_tokens": (
        own.USAGE_REASONING_OUTPUT_TOKENS,
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
    ),
}
"""Names of each token count, by the field of `specspan.call.Usage`."""
MODEL_OPERATIONS: Final = own.INFERENCE_OPERATIONS | {"embeddings"}
OPERATION_ALIASES: Final[Mapping[str, str]] = {
    "completion": "text_completion",
    "text": "text_completion",
    "embedding": "embeddings",
    "message": "chat",
    "responses": "chat",
}
"""Operation names of the conventions, by those that other libraries use."""

# OpenInference (https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md).
OPENINFERENCE_SPAN_KIND: Final = "openinference.span.kind"
OPENINFERENCE_PROVIDER: Final = ("llm.provider", "llm.system")
OPENINFERENCE_MODEL: Final = ("llm.model_name", "embedding.model_name")
OPENINFERENCE_PARAMETERS: Final = "llm.invocation_parameters"
OPENINFERENCE_TOOLS_PREFIX: Final = "llm.tools."
OPENINFERENCE_INPUT_PREFIX: Final = "llm.input_messages."
OPENINFERENCE_OUTPUT_PREFIX: Final = "llm.output_messages."
OPENINFERENCE_EMBEDDINGS_PREFIX: Final = "embedding.embeddings."
OPENINFERENCE_FINISH_REASON: Final = "llm.finish_reason"
OPENINFERENCE_OUTPUT: Final = "output.value"
OPENINFERENCE_SESSION_ID: Final = "session.id"
OPENINFERENCE_USAGE: Final[Mapping[str, tuple[str, ...]]] = {
    "input_tokens": ("llm.token_count.prompt",),
    "output_tokens": ("llm.token_count.completion",),
    "cache_read_input_tokens": ("llm.token_count.prompt_details.cache_read",),
    "cache_write_input_tokens": ("llm.token_count.prompt_details.cache_write",),
    "reasoning_output_tokens": ("llm.token_count.completion_details.reasoning",),
}

# OpenLLMetry (https://www.traceloop.com/docs/openllmetry/contributing/semantic-conventions).
OPENLLMETRY_REQUEST_TYPE: Final = "llm.request.type"
OPENLLMETRY_SPAN_KIND: Final = "traceloop.span.kind"
OPENLLMETRY_FUNCTIONS_PREFIX: Final = "llm.request.functions."
OPENLLMETRY_PROMPT_PREFIX: Final = f"{PROMPT}."
OPENLLMETRY_COMPLETION_PREFIX: Final = f"{COMPLETION}."

# LangSmith (https://docs.langchain.com/langsmith/trace-with-opentelemetry).
LANGSMITH_SPAN_KIND: Final = "langsmith.span.kind"
LANGSMITH_PROVIDER: Final = "langsmith.metadata.ls_provider"
LANGSMITH_USAGE: Final = "langsmith.metadata.usage_metadata"

# Logfire (https://logfire.pydantic.dev/docs/integrations/llms/openai/).
LOGFIRE_SPAN_TYPE: Final = "logfire.span_type"
LOGFIRE_LOG: Final = "log"
LOGFIRE_PENDING: Final = "pending_span"
LOGFIRE_SCOPE_PREFIX: Final = "logfire"
LOGFIRE_REQUEST: Final = "request_data"
LOGFIRE_RESPONSE: Final = "response_data"
LOGFIRE_DURATION: Final = "duration"
LOGFIRE_EVENTS: Final = "events"

# MLflow (https://mlflow.org/docs/latest/genai/tracing/opentelemetry/).
MLFLOW_SPAN_TYPE: Final = "mlflow.spanType"
MLFLOW_INPUTS: Final = "mlflow.spanInputs"
MLFLOW_OUTPUTS: Final = "mlflow.spanOutputs"
MLFLOW_PROVIDER: Final = "mlflow.llm.provider"
MLFLOW_MESSAGE_FORMAT: Final = "mlflow.message.format"
MLFLOW_MODEL: Final = "mlflow.llm.model"
MLFLOW_TOOLS: Final = "mlflow.chat.tools"
MLFLOW_USAGE: Final = "mlflow.chat.tokenUsage"

# Pydantic AI (https://ai.pydantic.dev/logfire/#data-format).
PYDANTIC_AI_SCOPE: Final = "pydantic-ai"
PYDANTIC_AI_CONVERSATION: Final = ("pydantic_ai.all_messages", "all_messages_events")
"""Attributes of an agent's span, which hold its whole conversation."""

# Marks of model calls in dialects without an operation name.
MODEL_CALL_MARKERS: Final[Mapping[str, frozenset[str]]] = {
    OPENINFERENCE_SPAN_KIND: frozenset(("LLM", "EMBEDDING")),
    OPENLLMETRY_REQUEST_TYPE: frozenset(("chat", "completion", "embedding")),
    OPENLLMETRY_SPAN_KIND: frozenset(("llm",)),
    LANGSMITH_SPAN_KIND: frozenset(("llm",)),
    MLFLOW_SPAN_TYPE: frozenset(("CHAT_MODEL", "LLM", "EMBEDDING", '"CHAT_MODEL"', '"LLM"', '"EMBEDDING"')),
}
"""Attribute values that mark a model call, by attribute."""

# Facts about the connection: HTTP conventions 1.41, and Anthropic's own instrumentation.
CONNECTION_PREFIXES: Final = (
    "http.",
    "url.",
    "network.",
    "anthropic.request.",
    "anthropic.organization.",
    "anthropic.workspace.",
)
"""Prefixes of facts that other instrumentation knows about a call and specspan does not."""
