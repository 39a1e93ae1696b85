"""The model call: one request to a model and, once it came, its answer, whatever provider carried it.

Messages and parts have the shape of the OpenTelemetry GenAI semantic conventions
(``gen_ai.input.messages``, ``gen_ai.output.messages``): ``{role, parts[]}``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, TypeAlias

from specspan._support.fast_dataclass import quickly_made
from specspan.scope.rules import Standing
from specspan.scope.scope import ScopeOfAutonomy

Scalar: TypeAlias = str | bool | int | float
Attribute: TypeAlias = Scalar | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Text:
    """Text that a person or a model wrote."""

    type: ClassVar[str] = "text"
    content: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Text of a model's reasoning, where the provider hands it over."""

    type: ClassVar[str] = "reasoning"
    content: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Text with which a model declined, where the provider tells it from an answer."""

    type: ClassVar[str] = "refusal"
    content: str


class _NotTold(Enum):
    NOT_TOLD = ""


NOT_TOLD: Final = _NotTold.NOT_TOLD
"""Arguments of a tool call of which somebody else told the name alone."""


@quickly_made
@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to call a tool."""

    type: ClassVar[str] = "tool_call"
    name: str
    arguments: Any = None
    """Parsed JSON where the provider's text parsed, else that text as it came."""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallResponse:
    """What a tool answered. Untrusted: it grants no authority."""

    type: ClassVar[str] = "tool_call_response"
    response: Any = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Media:
    """An image, sound or file, by reference; its bytes are never kept."""

    type: ClassVar[str] = "uri"
    modality: str
    """``image``, ``audio``, ``video`` or ``file``."""
    uri: str | None = None
    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A part this version does not understand; kept by the provider's name for it, without its content."""

    type: str


Part: TypeAlias = Text | Reasoning | Refusal | ToolCall | ToolCallResponse | Media | Unknown


@quickly_made
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """The provider's word: ``system``, ``developer``, ``user``, ``assistant``, ``tool``."""
    parts: tuple[Part, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    """Why the model stopped, on output messages that say so."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Request:
    """What the application asked of a model."""

    provider: str
    """``gen_ai.provider.name``, such as ``openai``."""
    operation: str = "chat"
    """``gen_ai.operation.name``."""
    model: str | None = None
    parameters: Mapping[str, Attribute] = field(default_factory=dict)
    """``gen_ai.request.*`` by the name after that prefix (``temperature``, ``max_tokens``); absent ones left out."""
    input: tuple[Message, ...] = ()
    system_instructions: tuple[Part, ...] = ()
    """Only where the provider takes them apart from the messages."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Tool definitions as the application gave them."""
    streaming: bool = False
    server_address: str | None = None
    server_port: int | None = None
    conversation: str | None = None
    """``gen_ai.conversation.id`` where the provider carries one."""
    executes: ToolCall | None = None
    """The tool call that is carried out, where the operation is ``execute_tool`` and there is no model."""
    output_type: str | None = None
    """``gen_ai.output.type``: ``text``, ``json``, ``image`` or ``speech``; None where nothing was asked for."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the provider counted them; None where it said nothing."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None


NOT_COUNTED = Usage()
"""Where a provider says nothing of tokens."""


@quickly_made
@dataclass(frozen=True, slots=True)
class Response:
    """What the model answered: one message a choice."""

    id: str | None = None
    model: str | None = None
    output: tuple[Message, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = NOT_COUNTED
    in_progress: bool = False
    """The provider has only taken the request in, as a job in the background: there is no answer to assess yet."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the application said about the work a call belongs to (`specspan.context`)."""

    conversation: str | None = None
    user: str | None = None
    scope: ScopeOfAutonomy | None = None
    """What all scopes in force allow together; None where none was declared, or none that arrived can be read."""
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    """Facts of the application's own that clauses may depend on, such as ``under_18``."""
    standing: Standing | None = None
    """How much the scope counts; None where none was declared and none arrived."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """What of a call was not seen, by a reason for each; None where all of it was.

    A call that specspan meets itself has none; one that somebody else tells of may.
    """

    input: str | None = None
    """What the model was asked."""
    output: str | None = None
    """What it said."""
    tool_calls: str | None = None
    """Which tools it asked for."""
    arguments: str | None = None
    """With what arguments."""

    def of(self, sides: Iterable[str]) -> str | None:
        """The first reason for which one of ``sides`` was not seen."""
        return next((reason for side in sides if (reason := getattr(self, side)) is not None), None)


WHOLE = Gaps()
"""All of it was seen."""


@quickly_made
@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model. JSON pointers into it start at ``/input/<i>/parts/<j>`` or ``/output/<i>/parts/<j>``."""

    request: Request
    response: Response | None = None
    """None until the model has answered."""
    context: CallContext = CallContext()
    gaps: Gaps = WHOLE
    """What of it is not here though it was asked or answered."""
    output: tuple[Message, ...] = field(init=False, repr=False, compare=False)
    """The messages the model answered with; empty before it did."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", self.response.output if self.response is not None else ())

    @property
    def input(self) -> tuple[Message, ...]:
        """The messages sent to the model."""
        return self.request.input

    @property
    def input_text(self) -> str:
        """All text of the user's and tools' messages, a blank line between parts."""
        return _joined(message for message in self.input if message.role in ("user", "tool"))

    @property
    def output_text(self) -> str:
        """All text of the answer, a blank line between parts."""
        return _joined(self.output)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls in the answer, in order."""
        return tuple(part for message in self.output for part in message.parts if isinstance(part, ToolCall))


def _joined(messages: Any) -> str:
    return "\n\n".join(
        part.content for message in messages for part in message.parts if isinstance(part, (Text, Refusal))
    )
