"""Model call: one request to a model and, once it came, its answer, whatever provider carried it.

Messages and parts have the shape of the OpenTelemetry GenAI semantic conventions
(``gen_ai.input.messages``, ``gen_ai.output.messages``): ``{role, parts[]}``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar, Final, TypeAlias

from specspan._support.fast_dataclass import fast_init
from specspan.scope.narrowing import Standing
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
    is_encrypted: bool = False
    """True where the provider hands it over encrypted, so that nobody reads it; `content` is empty."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Text with which a model declined, where the provider tells it from an answer."""

    type: ClassVar[str] = "refusal"
    content: str


class _Unknown(Enum):
    ARGUMENTS = ""


UNKNOWN_ARGUMENTS: Final = _Unknown.ARGUMENTS
"""Arguments of a tool call of which other instrumentation recorded the name alone."""


@fast_init
@dataclass(frozen=True, slots=True)
class ToolCall:
    """Tool call that a model asks for."""

    type: ClassVar[str] = "tool_call"
    name: str
    arguments: Any = None
    """Parsed JSON where the provider's text parsed, else that text as it came."""
    id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCallResponse:
    """Answer of a tool. Untrusted: it grants no authority."""

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


@fast_init
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """The provider's word: ``system``, ``developer``, ``user``, ``assistant``, ``tool``."""
    parts: tuple[Part, ...] = ()
    name: str | None = None
    finish_reason: str | None = None
    """Why the model stopped, on output messages that say so."""


@fast_init
@dataclass(frozen=True, slots=True)
class Request:
    """Request of an application to a model."""

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
    is_seen: bool = True
    """False where the request was made before, here or elsewhere, and what is asked for now is its answer alone."""
    output_type: str | None = None
    """``gen_ai.output.type``: ``text``, ``json``, ``image`` or ``speech``; None where nothing was asked for."""
    repeated: tuple[str, ...] = ()
    """Further texts of the application's own that the service repeats in its answer, such as labels."""


@fast_init
@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None for those it does not report."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None
    reasoning_output_tokens: int | None = None


NOT_COUNTED = Usage()
"""Usage of a call for which the provider reports no tokens."""


@fast_init
@dataclass(frozen=True, slots=True)
class Response:
    """Answer of a model: one message for each choice."""

    id: str | None = None
    model: str | None = None
    output: tuple[Message, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    usage: Usage = NOT_COUNTED
    in_progress: bool = False
    """The provider has only taken the request in, as a job in the background: there is no answer to assess yet."""
    unlisted: tuple[tuple[str, ...], ...] = ()
    """Texts in fields of the answer that no reader here knows, by field: checks read them beside `output`."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Facts about the work a call belongs to, as the application declares them (`specspan.context`)."""

    conversation: str | None = None
    user: str | None = None
    scope: ScopeOfAutonomy | None = None
    """What all scopes in force allow together; None where none was declared, or none that arrived can be read."""
    attributes: Mapping[str, Scalar] = field(default_factory=dict)
    """Facts of the application's own that clauses may depend on, such as ``under_18``."""
    standing: Standing | None = None
    """How much the scope counts; None where none was declared and none arrived."""


class Side(Enum):
    """Part of a call that may have been seen or not."""

    ARGUMENTS = "arguments"
    """Arguments of the tool calls that the model asked for."""
    INPUT = "input"
    """Messages and instructions that were sent to the model."""
    OUTPUT = "output"
    """Words that the model answered with."""
    TOOL_CALLS = "tool_calls"
    """Names of the tools that the model asked for."""


@dataclass(frozen=True, slots=True)
class Gaps:
    """Reasons for which sides of a call were not seen; None for a side that was.

    A call that specspan instruments itself has no gaps; a call that other instrumentation recorded may have.
    """

    input: str | None = None
    output: str | None = None
    tool_calls: str | None = None
    arguments: str | None = None

    def reason_for(self, sides: Collection[Side]) -> str | None:
        """Return the first reason for which one of ``sides``, in the order of `Side`, was not seen."""
        reasons = (getattr(self, side.value) for side in Side if side in sides)
        return next((reason for reason in reasons if reason is not None), None)


WHOLE = Gaps()
"""Gaps of a call that was seen as a whole."""


@fast_init
@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call of a model. JSON pointers into it start at ``/input/<i>/parts/<j>`` or ``/output/<i>/parts/<j>``."""

    request: Request
    response: Response | None = None
    """None until the model has answered."""
    context: CallContext = CallContext()
    gaps: Gaps = WHOLE
    """Sides of the call that were sent or answered and are missing here."""
    output: tuple[Message, ...] = field(init=False, repr=False, compare=False)
    """The messages the model answered with; empty before it did."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "output", self.response.output if self.response is not None else ())

    @property
    def input(self) -> tuple[Message, ...]:
        """Messages sent to the model."""
        return self.request.input

    @property
    def input_text(self) -> str:
        """All text of the user's and tools' messages, a blank line between parts."""
        return _join_text(message for message in self.input if message.role in ("user", "tool"))

    @property
    def output_text(self) -> str:
        """All text of the answer, a blank line between parts."""
        return _join_text(self.output)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Tool calls in the answer, in order."""
        return tuple(part for message in self.output for part in message.parts if isinstance(part, ToolCall))


def _join_text(messages: Iterable[Message]) -> str:
    return "\n\n".join(
        part.content for message in messages for part in message.parts if isinstance(part, (Text, Refusal))
    )
