"""Together AI's chat completions, text completions and embeddings, which have OpenAI's shapes."""

from __future__ import annotations

from specspan.instrument.formats.known_chat import TOGETHER_CHUNK
from specspan.instrument.providers.openai.compatible import (
    chat_adapter,
    completions_adapter,
    embeddings_adapter,
    requests_adapter,
)

_CHAT = chat_adapter("together", "together.resources.chat.completions:CompletionsResource", chunk_fields=TOGETHER_CHUNK)
_COMPLETIONS = completions_adapter("together", "together.resources.completions:CompletionsResource")
_EMBEDDINGS = embeddings_adapter("together", "together.resources.embeddings:EmbeddingsResource")
_REQUESTS = requests_adapter(
    "together",
    ("post", "chat/completions", _CHAT),
    ("post", "completions", _COMPLETIONS),
    ("post", "embeddings", _EMBEDDINGS),
    ("get", "files/[^/]+/content", "contents of files, such as results of batches"),
)
ADAPTERS = (_CHAT, _COMPLETIONS, _EMBEDDINGS, _REQUESTS)
