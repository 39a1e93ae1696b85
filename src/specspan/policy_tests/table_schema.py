"""A file of policy tests as it is written. Every model is strict and takes no key it does not know."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from specspan._support.messages import format_value
from specspan.call import Scalar
from specspan.decision import Action, Mode, Outcome, Verdict
from specspan.policy.schema import Day, Entry, Line, OverrideEntry, invalid_value
from specspan.scope.scope import ArgumentLimit, ScopeOfAutonomy

_UNSET: Any = None
"""Default of a key that takes no null: pydantic leaves defaults unchecked."""


def _split_chunks(value: Any) -> Any:
    """A text alone comes word by word."""
    return re.findall(r"\S*\s+|\S+", value) if isinstance(value, str) else value


def _parse_finding(value: Any) -> Any:
    """An outcome alone, or an outcome and more."""
    return value if isinstance(value, dict) else {"outcome": value}


def _check_scalar(value: Any) -> Scalar:
    if not isinstance(value, (str, bool, int, float)):
        raise invalid_value(f"{format_value(value)} is no plain value", "Write text, a number, true or false.")
    return value


class ToolCallEntry(Entry):
    """A model's wish to call a tool."""

    name: Line
    arguments: dict[str, Any] = Field(default_factory=dict)
    id: str | None = None


class MessageEntry(Entry):
    """One message that is sent."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str = ""
    """For the role ``tool``: what the tool answered."""
    tool_calls: list[ToolCallEntry] = Field(default_factory=list)
    tool_call_id: str | None = None


class LimitEntry(Entry):
    """What one argument of one tool must be."""

    max: int | float | None = None
    min: int | float | None = None
    one_of: list[Any] | None = None
    patterns: list[str] = Field(default_factory=list)
    optional: bool = False
    forbidden: bool = False

    @property
    def limit(self) -> ArgumentLimit:
        """As the engine takes it."""
        one_of = None if self.one_of is None else tuple(self.one_of)
        return ArgumentLimit(self.max, self.min, one_of, tuple(self.patterns), self.optional, self.forbidden)


class ScopeEntry(Entry):
    """What an agent may do on its own."""

    allowed_tools: list[str] | None = None
    limits: dict[str, dict[str, LimitEntry]] = Field(default_factory=dict)
    """By tool and argument."""

    @property
    def scope(self) -> ScopeOfAutonomy:
        """As `specspan.context` takes it."""
        return ScopeOfAutonomy(
            None if self.allowed_tools is None else tuple(self.allowed_tools),
            {tool: {name: each.limit for name, each in limits.items()} for tool, limits in self.limits.items()},
        )

    @model_validator(mode="after")
    def _can_be_meant(self) -> ScopeEntry:
        try:
            _ = self.scope
        except (TypeError, ValueError) as error:
            raise invalid_value(f"this is no scope: {error}", "Correct the limits.") from error
        return self


class ContextEntry(BaseModel):
    """What the application says about the call; keys of its own are attributes, such as ``under_18``."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[
        str, Annotated[Any, BeforeValidator(_check_scalar), WithJsonSchema({"type": ["string", "boolean", "number"]})]
    ]

    conversation: str | None = None
    user: str | None = None
    scope: ScopeEntry | None = None


class FindingEntry(Entry):
    """What is to become of one clause."""

    outcome: Outcome
    reason: str | None = None


class ExpectEntry(Entry):
    """What is expected of the decision; whatever is not mentioned may be anything."""

    verdict: Verdict = cast(Verdict, _UNSET)
    action: Action = cast(Action, _UNSET)
    """What is done."""
    would: Action | None = None
    """What enforce mode would do, where the mode is to observe."""
    governing_clause: str | None = None
    """Null: none governs."""
    reason: str | None = None
    handed_over: str | None = None
    """The text that reaches the application; null: none does."""
    findings: dict[str, Annotated[FindingEntry, BeforeValidator(_parse_finding)]] = Field(default_factory=dict)
    """By clause: an outcome, or an outcome and a reason."""

    @model_validator(mode="after")
    def _says_something(self) -> ExpectEntry:
        if not self.model_fields_set - {"findings"} and not self.findings:
            raise invalid_value("nothing is expected, so this test cannot fail", "Add 'verdict: …' or 'findings: …'.")
        return self


class CaseEntry(Entry):
    """One test."""

    name: Line
    messages: list[MessageEntry] = Field(default_factory=list)
    input: str | None = None
    """What the user says, after ``messages``."""
    output: str | None = None
    """What the model answers."""
    stream: Annotated[
        list[str] | None, BeforeValidator(_split_chunks), WithJsonSchema({"type": ["string", "array"]})
    ] = None
    """In place of ``output``: what it answers chunk by chunk; a text alone comes word by word."""
    tool_calls: list[ToolCallEntry] = Field(default_factory=list)
    """What it wishes to call."""
    context: ContextEntry = Field(default_factory=lambda: ContextEntry.model_validate({}))
    overrides: list[OverrideEntry] = Field(default_factory=list)
    """Declared by the application around the call, outermost first."""
    date: Day = None
    """The day (UTC) it is held on; today where none is given."""
    model: str | None = None
    provider: str = "test"
    operation: str = "chat"
    expect: ExpectEntry

    @model_validator(mode="after")
    def _is_a_call(self) -> CaseEntry:
        if self.output is not None and self.stream is not None:
            raise invalid_value("'output' and 'stream' are both given", "Keep one: an answer is streamed or it is not.")
        if not (self.messages or self.input or self.output or self.stream or self.tool_calls):
            raise invalid_value("there is no conversation", "Add 'input: …' or 'output: …'.")
        return self


class TestsFile(Entry):
    """The whole file."""

    __test__ = False  # pytest would take it for a class of tests

    policy: Line
    """Path of the policy, relative to this file."""
    mode: Mode | None = None
    """In place of what the policy says."""
    environment: Line | None = None
    """One of the policy's; without it, what holds without one, whatever ``SPECSPAN_ENV`` says."""
    tests: Annotated[list[CaseEntry], Field(min_length=1)]
