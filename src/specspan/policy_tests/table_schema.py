"""Schema of a file of policy tests. Every model is strict and refuses unknown keys."""

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
"""Default of a key that does not accept null: pydantic leaves defaults unchecked."""


def _split_chunks(value: Any) -> Any:
    """Return a text alone as its words."""
    return re.findall(r"\S*\s+|\S+", value) if isinstance(value, str) else value


def _parse_finding(value: Any) -> Any:
    """Return an outcome alone as a mapping with that outcome."""
    return value if isinstance(value, dict) else {"outcome": value}


def _check_scalar(value: Any) -> Scalar:
    if not isinstance(value, (str, bool, int, float)):
        raise invalid_value(f"{format_value(value)} is not a plain value", "Write text, a number, true or false.")
    return value


class ToolCallEntry(Entry):
    """Tool call of a model."""

    name: Line
    arguments: dict[str, Any] = Field(default_factory=dict)
    id: str | None = None


class MessageEntry(Entry):
    """Message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str = ""
    """Text of the message; for the role ``tool``, the answer of the tool."""
    tool_calls: list[ToolCallEntry] = Field(default_factory=list)
    tool_call_id: str | None = None


class LimitEntry(Entry):
    """Limit on one argument of one tool."""

    max: int | float | None = None
    min: int | float | None = None
    one_of: list[Any] | None = None
    patterns: list[str] = Field(default_factory=list)
    optional: bool = False
    forbidden: bool = False

    @property
    def limit(self) -> ArgumentLimit:
        """Return the limit as the engine takes it."""
        one_of = None if self.one_of is None else tuple(self.one_of)
        return ArgumentLimit(self.max, self.min, one_of, tuple(self.patterns), self.optional, self.forbidden)


class ScopeEntry(Entry):
    """Scope of an agent's autonomy."""

    allowed_tools: list[str] | None = None
    limits: dict[str, dict[str, LimitEntry]] = Field(default_factory=dict)
    """Limits by tool and argument."""

    @property
    def scope(self) -> ScopeOfAutonomy:
        """Return the scope as `specspan.context` takes it."""
        return ScopeOfAutonomy(
            None if self.allowed_tools is None else tuple(self.allowed_tools),
            {tool: {name: each.limit for name, each in limits.items()} for tool, limits in self.limits.items()},
        )

    @model_validator(mode="after")
    def _can_be_meant(self) -> ScopeEntry:
        try:
            _ = self.scope
        except (TypeError, ValueError) as error:
            raise invalid_value(f"invalid scope: {error}", "Correct the limits.") from error
        return self


class ContextEntry(BaseModel):
    """Context that the application declares; other keys are attributes, such as ``under_18``."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[
        str, Annotated[Any, BeforeValidator(_check_scalar), WithJsonSchema({"type": ["string", "boolean", "number"]})]
    ]

    conversation: str | None = None
    user: str | None = None
    scope: ScopeEntry | None = None


class FindingEntry(Entry):
    """Expected outcome of one clause."""

    outcome: Outcome
    reason: str | None = None


class ExpectEntry(Entry):
    """Expected decision; whatever it does not mention may be anything."""

    verdict: Verdict = cast(Verdict, _UNSET)
    action: Action = cast(Action, _UNSET)
    """Action that is taken."""
    would: Action | None = None
    """Action of enforce mode, where the mode is to observe."""
    governing_clause: str | None = None
    """Governing clause; null where there is none."""
    reason: str | None = None
    handed_over: str | None = None
    """Text that reaches the application; null where none does."""
    findings: dict[str, Annotated[FindingEntry, BeforeValidator(_parse_finding)]] = Field(default_factory=dict)
    """Findings by clause: an outcome, or an outcome and a reason."""

    @model_validator(mode="after")
    def _says_something(self) -> ExpectEntry:
        if not self.model_fields_set - {"findings"} and not self.findings:
            raise invalid_value("nothing is expected, so this test cannot fail", "Add 'verdict: …' or 'findings: …'.")
        return self


class CaseEntry(Entry):
    """Test of one conversation."""

    name: Line
    messages: list[MessageEntry] = Field(default_factory=list)
    input: str | None = None
    """Text of the user, after ``messages``."""
    output: str | None = None
    """Answer of the model."""
    stream: Annotated[
        list[str] | None, BeforeValidator(_split_chunks), WithJsonSchema({"type": ["string", "array"]})
    ] = None
    """Answer chunk by chunk, in place of ``output``; a text alone comes word by word."""
    tool_calls: list[ToolCallEntry] = Field(default_factory=list)
    """Tool calls in the answer."""
    context: ContextEntry = Field(default_factory=lambda: ContextEntry.model_validate({}))
    overrides: list[OverrideEntry] = Field(default_factory=list)
    """Overrides that the application declares around the call, outermost first."""
    date: Day = None
    """Day (UTC) of the call; today where none is given."""
    model: str | None = None
    provider: str = "test"
    operation: str = "chat"
    expect: ExpectEntry

    @model_validator(mode="after")
    def _is_a_call(self) -> CaseEntry:
        if self.output is not None and self.stream is not None:
            raise invalid_value("'output' and 'stream' are both given", "Keep one: an answer is streamed or it is not.")
        if not (self.messages or self.input or self.output or self.stream or self.tool_calls):
            raise invalid_value("the test has no conversation", "Add 'input: …' or 'output: …'.")
        return self


class TestsFile(Entry):
    """Whole file of tests."""

    __test__ = False  # pytest would take it for a class of tests

    policy: Line
    """Path of the policy, relative to this file."""
    mode: Mode | None = None
    """Mode in place of the policy's own."""
    environment: Line | None = None
    """Environment of the policy; without it, the settings of all, whatever ``SPECSPAN_ENV`` says."""
    tests: Annotated[list[CaseEntry], Field(min_length=1)]
