"""Schema of a policy file. Every model is strict and refuses unknown keys.

Files are validated as JSON: there pydantic's strict mode still reads words and dates from text, and nothing else.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from specspan._support import shares
from specspan._support.durations import parse_seconds
from specspan._support.messages import format_value
from specspan.checks.check import Check, CheckConfigError
from specspan.decision import Action, Mode, Override, OverrideKind, ReviewCause, Severity
from specspan.policy.policy import MAX_HELD_CHARS, CheckBinding, OnError, OnUnread, hold_back_from

E = TypeVar("E", bound=BaseModel)
T = TypeVar("T")
Word = Annotated[T, Strict(strict=False)]
"""Member of an enumeration. Before its release 2.11, pydantic reads nothing below a validator in Python as JSON."""

_WINDOW_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MAX_WINDOW = timedelta(days=366)
_FACT: dict[str, Any] = {"type": ["boolean", "number", "string"]}
_FACTS: dict[str, Any] = {"anyOf": [_FACT, {"type": "array", "items": _FACT, "minItems": 1}]}
_LEVELS: dict[str, Any] = {"type": ["string", "array"], "items": {"type": "string"}}


def invalid_value(message: str, remedy: str) -> PydanticCustomError:
    """Return the error about a value, with the words of the message."""
    return PydanticCustomError("policy", "{message}", {"message": message, "remedy": remedy})


def parse_share(value: Any) -> Any:
    """Return ``99.9%`` or 0.999 as a share."""
    remedy = "Write a share such as 99.9% or 0.999."
    share = shares.parse_share(value)
    if share is None:
        raise invalid_value(f"{format_value(value)} is not a share", remedy)
    if not 0 < share <= 1:
        written = share if isinstance(value, str) else value
        raise invalid_value(f"the share {format_value(written)} is not above 0 and at most 1", remedy)
    return share


def _parse_window(value: Any) -> Any:
    """Return ``30d`` as a time span."""
    remedy = "Write a number and m, h, d or w, such as 30d; at most a year."
    match = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", value) if isinstance(value, str) else None
    if not match:
        raise invalid_value(f"{format_value(value)} is not a time span", remedy)
    window = timedelta(**{_WINDOW_UNITS[match[2]]: int(match[1])})
    if window > _MAX_WINDOW:
        raise invalid_value(f"{value!r} is longer than a year", remedy)
    return window


def _parse_date(value: Any) -> Any:
    """Return ``2027-01-01`` as a date; pydantic alone would also take a number of seconds written as text."""
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return date.fromisoformat(value)
    except (TypeError, ValueError):
        pass
    raise invalid_value(f"{format_value(value)} is not a date", "Write it as YYYY-MM-DD.")


def _parse_spec(value: Any) -> Any:
    """Return a path alone as a mapping with that path."""
    if isinstance(value, str):
        return {"path": value}
    if not isinstance(value, dict):
        raise invalid_value(f"{format_value(value)} is not a path", "Write the path of the spec's file.")
    return value


def _check_digest(value: str) -> str:
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
        raise invalid_value(
            f"invalid digest {format_value(value)}", "Write 'sha256:' and 64 hexadecimal digits, in small letters."
        )
    return value


def is_line(text: str) -> bool:
    """Return whether a text is one line, without characters that a terminal or a file system would interpret."""
    return re.fullmatch(r"[^\x00-\x1f\x7f]+", text) is not None


def _check_line(value: str) -> str:
    if not is_line(value):
        raise invalid_value(
            f"{format_value(value)} is not one line of text", "Write one line, at least a character long."
        )
    return value


def _check_levels(value: Any) -> Any:
    """Return the name of a level, or a list of such names."""
    names = value if isinstance(value, list) and value else [value]
    if not all(isinstance(name, str) and name for name in names):
        raise invalid_value(
            f"{format_value(value)} is not a level", "Write a name, or a list of names of equal levels."
        )
    return value


def _check_fact(value: Any) -> Any:
    """Return true, false, a number or text."""
    if not isinstance(value, (bool, int, float, str)):
        raise invalid_value(f"{format_value(value)} is not a fact", "Write true, false, a number or text.")
    return value


def _check_facts(value: Any) -> Any:
    """Return a fact, or a list of its possible values."""
    if not isinstance(value, list):
        return _check_fact(value)
    if not value:
        raise invalid_value("an empty list is never met", "List the values it may have.")
    return [_check_fact(each) for each in value]


def _empty_if_null(empty: type[Any]) -> BeforeValidator:
    """Return a validator that replaces null, as when everything under a key is commented out, by an empty value."""
    return BeforeValidator(lambda value: empty() if value is None else value)


def _refuse_both(entry: E, key: str) -> E:
    if getattr(entry, key) is not None and getattr(entry, f"more_{key}") is not None:
        message = f"'{key}', which replaces, and '{key}+', which adds, are both given"
        raise invalid_value(message, "Keep one of the two.")
    return entry


def _check_hold_back(value: Any) -> Any:
    """Return ``detect``, ``sentence``, ``all`` or a number of characters."""
    if hold_back_from(value) is None:
        raise invalid_value(
            f"unknown way to hold back a stream: {format_value(value)}",
            "Write detect, sentence, all, or a number of characters such as {chars: 64}.",
        )
    return value


Line = Annotated[str, AfterValidator(_check_line)]
"""Text of one line."""

Day = Annotated[date | None, BeforeValidator(_parse_date), WithJsonSchema({"type": "string", "format": "date"})]
"""Date, written as ``2027-01-01``."""


_HOLD_BACK: dict[str, Any] = {
    "anyOf": [
        {"enum": ["detect", "sentence", "all"], "type": "string"},
        {
            "type": "object",
            "properties": {"chars": {"type": "integer", "minimum": 1, "maximum": MAX_HELD_CHARS}},
            "required": ["chars"],
            "additionalProperties": False,
        },
    ]
}
HoldingBack = Annotated[Any, BeforeValidator(_check_hold_back), WithJsonSchema(_HOLD_BACK)]
"""How much of a streamed answer is held back, as it is written."""

Fact = Annotated[Any, BeforeValidator(_check_fact), WithJsonSchema(_FACT)]
"""Fact about a call: true, false, a number or text."""


class Entry(BaseModel):
    """Mapping in the file."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


class SpecEntry(Entry):
    """Spec of the policy, and optionally the digest of its bytes."""

    path: Line
    """Relative to the policy file."""
    digest: Annotated[str, AfterValidator(_check_digest)] | None = None
    """``sha256:`` and 64 hexadecimal digits; any other text at that path is then refused."""


class ReviewEntry(Entry):
    """Reviews of a clause by people. A share alone (``2%``) stands for ``sample``, a list of causes for ``when``."""

    sample: Annotated[float | None, BeforeValidator(parse_share), WithJsonSchema({"type": ["string", "number"]})] = None
    """Share of the calls that are reviewed, drawn as those of a check are."""
    when: list[Word[ReviewCause]] = Field(default_factory=list)
    """Causes for which every decision is reviewed: ``escalated``, ``violated``, ``uncertain``, ``abstained`` (a judge),
    ``disagreed`` (checks of one clause)."""
    rulings: int = Field(default=1, ge=1, le=9)
    """Number of reviewers who rule; where two disagree, a third one does."""
    within: Annotated[timedelta | None, BeforeValidator(_parse_window), WithJsonSchema({"type": "string"})] = None
    """Time within which they rule, such as ``14d``."""

    @model_validator(mode="after")
    def _has_a_cause(self) -> ReviewEntry:
        if self.sample is None and not self.when:
            raise invalid_value("the review has neither 'sample' nor 'when'", "Write a share, or a list of causes.")
        drawn = [cause.value for cause in self.when if cause in (ReviewCause.SAMPLED, ReviewCause.REQUESTED)]
        if drawn:
            raise invalid_value(f"{drawn[0]!r} is not a cause that a decision has", "Write 'sample' for a share.")
        return self


def _parse_review(value: Any) -> Any:
    """Return a share alone, or a list of causes alone, as a mapping."""
    if isinstance(value, list):
        return {"when": value}
    return {"sample": value} if isinstance(value, (str, int, float)) and not isinstance(value, bool) else value


Review = Annotated[ReviewEntry | None, BeforeValidator(_parse_review)]
"""Reviews of a clause, in any of their three forms."""


class DefaultsEntry(Entry):
    """Settings of every clause that does not say otherwise."""

    severity: Word[Severity] = Severity.MEDIUM
    action: Word[Action] = Action.FLAG
    mode: Word[Mode] = Mode.ENFORCE
    on_error: Word[OnError] = OnError.OPEN
    on_unread: Word[OnUnread] = OnUnread.OPEN
    review: Review = None
    hold_back: HoldingBack = "detect"


class ObjectiveEntry(Entry):
    """Share of the traffic that must comply, and the time it is counted over."""

    target: Annotated[float, BeforeValidator(parse_share), WithJsonSchema({"type": ["string", "number"]})]
    """A share, such as ``99.9%`` or ``0.999``."""
    window: Annotated[timedelta, BeforeValidator(_parse_window), WithJsonSchema({"type": "string"})]
    """A number and ``m``, ``h``, ``d`` or ``w``, such as ``30d``."""


Checks = list[dict[str, Any]]
"""Checks, each a mapping of one key, the kind of check, to its configuration."""


class ClauseEntry(Entry):
    """Settings of this application for one clause."""

    severity: Word[Severity] | None = None
    """Severity of a violation to this application."""
    action: Word[Action] | None = None
    """Action on a violation."""
    mode: Word[Mode] | None = None
    """``observe`` for a clause that is watched while the rest of the policy is enforced."""
    on_error: Word[OnError] | None = None
    """Effect of a failing check in enforce mode."""
    on_unread: Word[OnUnread] | None = None
    """Effect of content that a check cannot read, in enforce mode."""
    review: Review = None
    """Reviews by people: a share such as ``2%``, causes such as ``[escalated, uncertain]``, or a mapping."""
    hold_back: HoldingBack | None = None
    """How much of a streamed answer is held back: ``detect`` (nothing), ``sentence``, ``all``, or characters, such as
    ``{chars: 64}``."""
    replacement: str | None = None
    """Text that replaces a violating one under ``action: replace``."""
    objective: ObjectiveEntry | None = None
    """Share of the traffic that must comply, and the time it is counted over."""
    when: dict[str, Annotated[Any, BeforeValidator(_check_facts), WithJsonSchema(_FACTS)]] | None = None
    """Calls that the clause has a bearing on: a value, or a list of possible values, for each fact. Without it, the
    clause's tags say so: each is a fact that has to be true."""
    checks: Checks | None = None
    """Checks, each of one kind, in place of those in the file it builds on."""
    more_checks: Checks | None = Field(default=None, alias="checks+")
    """Checks, each of one kind, in addition to those in the file it builds on."""

    @model_validator(mode="after")
    def _one_of_two(self) -> ClauseEntry:
        return _refuse_both(self, "checks")


class OverrideEntry(Entry):
    """Declared exception to one clause."""

    clause: str
    by: Line
    """Level that declares the override."""
    reason: Line
    until: Day = None
    """Last day of the override (UTC)."""
    kind: Word[OverrideKind] = OverrideKind.EXPLICIT

    @property
    def override(self) -> Override:
        """Return the override as the engine takes it, with names as they are written."""
        return Override(self.clause, self.by, self.reason, self.until, self.kind)


class EnvironmentEntry(Entry):
    """Settings for one environment, or for all of them."""

    mode: Word[Mode] | None = None
    """``observe`` records the action that ``enforce`` would take."""
    defaults: Annotated[DefaultsEntry, _empty_if_null(dict)] = DefaultsEntry()
    """Settings of every clause that does not say otherwise."""
    context: Annotated[dict[str, Fact], _empty_if_null(dict)] = Field(default_factory=dict)
    """Facts that hold of calls of which the application says nothing else."""
    clauses: Annotated[dict[str, Annotated[ClauseEntry, _empty_if_null(dict)]], _empty_if_null(dict)] = Field(
        default_factory=dict
    )
    """Settings of each clause, by its id."""
    overrides: list[OverrideEntry] | None = None
    """Exceptions that this application declares, in place of those in the file it builds on."""
    more_overrides: list[OverrideEntry] | None = Field(default=None, alias="overrides+")
    """Exceptions that this application declares, in addition to those in the file it builds on."""

    @model_validator(mode="after")
    def _one_of_two(self) -> EnvironmentEntry:
        return _refuse_both(self, "overrides")


class PolicyFile(EnvironmentEntry):
    """Policy file as a whole."""

    calibration: Line | None = None
    """Path of the calibration of this policy's judges, relative to the file."""
    candidate: Line | None = None
    """Path of a policy that is decided beside this one and never acted on, relative to the file."""
    extends: Line | None = None
    """Path of the file this one builds on, relative to it."""
    spec: Annotated[SpecEntry | None, BeforeValidator(_parse_spec)] = None
    """Path of the spec, seen from this file, or a published edition such as ``openai-model-spec@2025-12-18``."""
    specs: list[Annotated[SpecEntry, BeforeValidator(_parse_spec)]] | None = None
    """Several specs in place of one ``spec``."""
    order: list[Annotated[Any, BeforeValidator(_check_levels), WithJsonSchema(_LEVELS)]] | None = None
    """The levels of all specs, strongest first; a list within it is of equals."""
    environments: Annotated[
        dict[Line, Annotated[EnvironmentEntry, _empty_if_null(dict)]],
        _empty_if_null(dict),
    ] = Field(default_factory=dict)
    """Differences of each environment, by its name."""


def _parse_seconds(value: Any) -> Any:
    """Return ``500ms`` as seconds."""
    seconds = parse_seconds(value)
    if seconds is None:
        raise invalid_value(
            f"{format_value(value)} is not a time limit", "Write a number and ms, s or m, such as 500ms."
        )
    return seconds


class LimitsEntry(Entry):
    """Limits that any kind of check may have in its configuration, beside the keys of the kind."""

    sample: Annotated[
        float | None,
        BeforeValidator(parse_share),
        WithJsonSchema({"type": ["string", "number"], "examples": [0.1, "10%"]}),
    ] = None
    """The share of calls it looks at; on the others the clause is unassessed."""
    timeout: Annotated[
        float | None, BeforeValidator(_parse_seconds), WithJsonSchema({"type": "string", "examples": ["500ms", "2s"]})
    ] = None
    """How long it may take; out of time, its outcome is ``error``."""


def bind(check: Check, limits: LimitsEntry) -> CheckBinding:
    """Bind a check with the limits of the policy.

    Raises:
        CheckConfigError: a limit does not suit the check.
    """
    traits = check.traits  # a plug-in whose check declares none is refused here, and not when a call comes
    if limits.timeout is not None and not traits.accepts_timeout:
        message = "patterns are matched in linear time, on the caller's thread, and need no time limit"
        raise CheckConfigError(message, "remove it", "timeout")
    return CheckBinding(check, 1.0 if limits.sample is None else limits.sample, limits.timeout)
