"""Script of a model: prompts, replies, and the choice of a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from specspan.call import ToolCall


@dataclass(frozen=True, slots=True)
class Prompt:
    """Request to the model, as the script sees it."""

    model: str
    messages: tuple[Mapping[str, Any], ...]
    """Messages as they came over the wire."""
    tools: tuple[Mapping[str, Any], ...] = ()
    streaming: bool = False

    @property
    def last_user(self) -> str:
        """Text of the last message that a user wrote; empty when there is none."""
        return next((text_of(message) for message in reversed(self.messages) if message.get("role") == "user"), "")

    @property
    def tool_results(self) -> tuple[str, ...]:
        """Texts that tools returned since the user last wrote, in order."""
        results: list[str] = []
        for message in self.messages:
            if message.get("role") == "user":
                results.clear()
            elif message.get("role") == "tool":
                results.append(text_of(message))
        return tuple(results)


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of the model: text, tool calls, or a refusal of the service with an HTTP status."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    chunks: tuple[str, ...] | None = None
    """Chunks of a streamed text; None cuts it after each word."""
    status: int = 200
    """HTTP status; any but 200 makes the reply an error of the service, with ``text`` as its message."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers of the answer, such as ``Retry-After``."""
    delay_s: float = 0.0
    """Seconds until the answer begins; a client that hangs up meanwhile ends the wait."""
    hangs_up: bool = False
    """True to close the connection in place of an answer."""
    cached_tokens: int = 0
    """Tokens of the prompt that the service says it had in its cache."""


Script: TypeAlias = Callable[[Prompt], Reply | str] | Mapping[str, Reply | str]
"""Function from prompt to reply, or replies by a phrase that the user's last message contains."""

NO_RULE = "I am a scripted model and have no answer to that."


def reply_to(script: Script, prompt: Prompt) -> Reply:
    """Return the reply of ``script`` to ``prompt``; phrases are tried in order, without regard to case."""
    reply = script(prompt) if callable(script) else _reply_by_phrase(script, prompt.last_user.casefold())
    return Reply(reply) if isinstance(reply, str) else reply


def _reply_by_phrase(table: Mapping[str, Reply | str], text: str) -> Reply | str:
    return next((reply for phrase, reply in table.items() if phrase.casefold() in text), NO_RULE)


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a chat message, whose content is a string or a list of parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part.get("type") == "text")
