"""OpenAI's clients: chat and text completions, responses and embeddings, on Azure and compatible servers too."""

from specspan.instrument.formats.requested_paths import adapter_by_path
from specspan.instrument.providers.openai import chat, completions, embeddings, responses

_METHODS = (
    chat.ADAPTER,
    chat.RETRIEVE,
    completions.ADAPTER,
    responses.ADAPTER,
    responses.RETRIEVE,
    embeddings.ADAPTER,
)
_REQUESTS = adapter_by_path(
    "openai",
    "OpenAI",
    "specspan[openai]",
    (
        ("get", "organization/usage/[^/]+", None),
        ("post", "responses/input_tokens", None),
        ("post", "chat/completions", chat.ADAPTER),
        ("get post", "chat/completions/[^/]+", chat.RETRIEVE),
        ("post", "responses(?:/compact)?", responses.ADAPTER),
        ("get", "responses/[^/]+", responses.RETRIEVE),
        ("post", "responses/[^/]+/cancel", responses.RETRIEVE),
        ("post", "completions", completions.ADAPTER),
        ("post", "embeddings", embeddings.ADAPTER),
        ("get", "chat/completions(?:/[^/]+/messages)?", "lists of stored chat completions"),
        ("get", "responses/[^/]+/input_items", "input items of responses"),
        ("get post", "conversations/[^/]+/items(?:/[^/]+)?", "items of conversations"),
        ("get post", "threads(?:/.*)?", "threads of assistants"),
        ("get post", "agents/sessions(?:/.*)?", "sessions of agents"),
        ("get", "files/[^/]+/content", "contents of files, such as results of batches"),
        ("get", "containers/.*/content", "contents of files in containers"),
    ),
)
ADAPTERS = (*_METHODS, _REQUESTS)
