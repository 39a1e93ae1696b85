"""Recorded calls, read back from a decision record and the span of the call, with what is missing of them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from specspan.bridges.dialect import Event, RecordedSpan, iter_dialects
from specspan.call import (
    Attribute,
    CallContext,
    Gaps,
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Refusal,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)
from specspan.decision import Evidence, Override, OverrideKind
from specspan.record import conventions as names
from specspan.replay.carried_findings import Definitions, says_something
from specspan.scope.narrowing import Budget, Standing, Trust
from specspan.scope.scope import NO_CURRENCY, Cost, ScopeOfAutonomy
from specspan.scope.text import scope_from_json
from specspan.sqlite.expansion import expand

Record = Mapping[str, Any]

NOT_RECORDED = "content_not_recorded"
"""The content of the call was not recorded, or its span is not in the store."""
TRUNCATED = "content_truncated"
"""The content was cut to size when it was recorded."""
REDACTED = "content_redacted"
"""The policy of then took something out of the content, which is recorded nowhere."""
NOT_UNDERSTOOD = "content_not_understood"
"""The recorded content has an unknown shape."""
_AFTER_CALL = frozenset(("output", "tool_call", "stream"))
_CONTENT = (names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.SYSTEM_INSTRUCTIONS, names.TOOL_DEFINITIONS)
_RESPONSE = (names.RESPONSE_ID, names.RESPONSE_MODEL, names.RESPONSE_FINISH_REASONS)
_KNOWN_PARAMETERS = frozenset((names.REQUEST_MODEL, names.REQUEST_STREAM))
_NO_DEFINITIONS: Definitions = MappingProxyType({})
_BROKEN_OFF = ("closed", "abandoned")


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """Call of a decision record."""

    decision: Record
    """Decision record, with every finding in full."""
    call: ModelCall
    missing: str | None = None
    """Reason for which not all of its content is there; None where all is."""
    overrides: tuple[Override, ...] = ()
    """Overrides that the application declared for this call."""
    is_cut_short: bool = False
    """True for a streamed answer of which the rest never came."""
    is_bridged: bool = False
    """True for a call that other instrumentation reported when it was over."""
    definitions: Definitions = field(default_factory=dict)
    """Definitions of the checks of the policy that decided it."""
    policy: Record | None = None
    """Record of that policy, where ``decision`` names findings by it."""

    @property
    def id(self) -> str:
        """Return the id of the decision."""
        return str(self.decision["id"])

    @property
    def findings(self) -> Sequence[Record]:
        """Return every finding of the decision, in full."""
        whole = self.decision if self.policy is None else expand(self.decision, self.policy)
        found: Sequence[Record] = whole.get("findings") or ()
        return found

    @property
    def time_unix_nano(self) -> int:
        """Return the time of the decision."""
        return int(self.decision["time_unix_nano"])


def read_recorded_call(
    decision: Record,
    span: RecordedSpan | None,
    definitions: Definitions = _NO_DEFINITIONS,
    policy: Record | None = None,
) -> RecordedCall:
    """Return the call of a decision.

    Args:
        decision: its record.
        span: the span of the call; None where there is none.
        definitions: those of the policy that decided it; without them, only judges' findings can be carried over.
        policy: record of that policy, where ``decision`` names findings by it; None where it has all of them in full.
    """
    attributes: Record = {} if span is None else span.attributes
    if policy is not None and not any(name in attributes for name in _CONTENT):
        decision, policy = expand(decision, policy), None  # what was found says what of the call there was
    of_record = decision.get("call") or {}
    dialect = of_record.get("dialect")
    if dialect is not None:
        call, missing = _read_bridged(decision, span, str(dialect))
    else:
        call, missing = _read_own(decision, attributes)
    if missing is None and _is_redacted(decision):
        missing = REDACTED
    if missing is not None:
        call = with_gaps(call, missing)
    broken_off = attributes.get(names.STREAM_END) in _BROKEN_OFF or (
        call.request.streaming
        and names.ERROR_TYPE in attributes
        and attributes[names.ERROR_TYPE] not in (names.ERROR_BLOCKED, names.ERROR_VIOLATED)
    )
    return RecordedCall(
        decision,
        call,
        missing,
        tuple(_overrides(decision)),
        is_cut_short=call.response is not None and broken_off,
        is_bridged=dialect is not None,
        definitions=definitions,
        policy=policy,
    )


def with_gaps(call: ModelCall, reason: str) -> ModelCall:
    """Return a call of which no side was seen as a whole."""
    return replace(call, gaps=Gaps(reason, reason, reason, reason))


def _is_redacted(decision: Record) -> bool:
    stream = decision.get("stream") or {}
    return bool(decision.get("redacted")) or stream.get("released_chars") is not None


def _read_bridged(decision: Record, span: RecordedSpan | None, name: str) -> tuple[ModelCall, str | None]:
    """Return a call as the dialect reads it, with the gaps that it had then."""
    if span is not None:
        for dialect in iter_dialects():
            if dialect.name == name and (call := dialect.read(span)) is not None and call.gaps.input is None:
                return call, None
    return _read_own(decision, {})


def _read_own(decision: Record, attributes: Record) -> tuple[ModelCall, str | None]:
    """Return a call that specspan itself recorded, and the reason for which its content is not there."""
    missing = None if any(name in attributes for name in _CONTENT) else NOT_RECORDED
    if attributes.get(names.CONTENT_TRUNCATED):
        missing = TRUNCATED
    try:
        return _build(decision, attributes, _json(attributes.get(names.CALL_FACTS))), missing
    except (KeyError, TypeError, ValueError, AttributeError):
        bare = {name: value for name, value in attributes.items() if name not in _CONTENT}
        return _build(decision, bare, {}), NOT_UNDERSTOOD


def _build(decision: Record, attributes: Record, listed: Any) -> ModelCall:
    facts: Record = listed[0] if isinstance(listed, list) and listed else {}
    encrypted = frozenset(facts.get("encrypted") or ())
    return ModelCall(
        _request(decision, attributes, facts, encrypted),
        _response(decision, attributes, facts, encrypted),
        _context(decision, attributes, facts),
    )


def _context(decision: Record, attributes: Record, facts: Record) -> CallContext:
    scope = None if "scope" not in facts else scope_from_json(facts["scope"])
    if scope is not None:
        scope = _scope_at(scope, int(decision["time_unix_nano"]))
    standing = None
    if "trust" in facts:
        spent = (Budget(Cost(Decimal(0), NO_CURRENCY)),) if facts.get("spent") else ()
        standing = Standing(Trust(facts["trust"]), budgets=spent)
    own = facts["conversation"][1] if "conversation" in facts else attributes.get(names.CONVERSATION_ID)
    return CallContext(
        _str(own),
        _str(attributes.get(names.USER_ID)),
        scope,
        dict(facts.get("attributes") or {}),
        standing,
    )


def _scope_at(scope: ScopeOfAutonomy, time_unix_nano: int) -> ScopeOfAutonomy:
    """Return a scope without a deadline that was not over at a time: checks compare it with the clock."""
    deadline = scope.deadline
    if deadline is None or datetime.fromtimestamp(time_unix_nano / 1e9, timezone.utc) >= deadline:
        return scope
    return replace(scope, deadline=None)


def _request(decision: Record, attributes: Record, facts: Record, encrypted: frozenset[str]) -> Request:
    of_record = decision.get("call") or {}
    executes = facts.get("executes")
    tool = of_record.get("tool")
    execution = None if tool is None else ToolCall(str(tool))
    if executes is not None:
        execution = ToolCall(executes["name"], executes.get("arguments"), _str(attributes.get(names.TOOL_CALL_ID)))
    port = attributes.get(names.SERVER_PORT)
    return Request(
        provider=str(of_record.get("provider") or attributes.get(names.PROVIDER_NAME) or ""),
        operation=str(of_record.get("operation") or attributes.get(names.OPERATION_NAME) or "chat"),
        model=_str(of_record.get("model")),
        parameters=_parameters(attributes),
        input=_messages("input", attributes.get(names.INPUT_MESSAGES), encrypted),
        system_instructions=tuple(_part(item) for item in _json(attributes.get(names.SYSTEM_INSTRUCTIONS)) or ()),
        tools=tuple(_json(attributes.get(names.TOOL_DEFINITIONS)) or ()),
        streaming=bool(attributes.get(names.REQUEST_STREAM)),
        server_address=_str(attributes.get(names.SERVER_ADDRESS)),
        server_port=port if isinstance(port, int) else None,
        conversation=facts["conversation"][0] if "conversation" in facts else None,
        executes=execution,
        is_seen=facts.get("seen", True) is not False,
        output_type=_str(attributes.get(names.OUTPUT_TYPE)),
        repeated=tuple(facts.get("repeated") or ()),
    )


def _parameters(attributes: Record) -> Mapping[str, Attribute]:
    return {
        name.removeprefix(names.REQUEST_PREFIX): tuple(value) if isinstance(value, list) else value
        for name, value in attributes.items()
        if name.startswith(names.REQUEST_PREFIX) and name not in _KNOWN_PARAMETERS
    }


def _response(decision: Record, attributes: Record, facts: Record, encrypted: frozenset[str]) -> Response | None:
    output = _messages("output", attributes.get(names.OUTPUT_MESSAGES), encrypted)
    is_there = output or facts.get("answered") or any(name in attributes for name in _RESPONSE)
    if not is_there and (any(name in attributes for name in _CONTENT) or not _is_answer_checked(decision)):
        return None
    return Response(
        id=_str(attributes.get(names.RESPONSE_ID)) or _str((decision.get("call") or {}).get("response_id")),
        model=_str(attributes.get(names.RESPONSE_MODEL)),
        output=output,
        finish_reasons=tuple(attributes.get(names.RESPONSE_FINISH_REASONS) or ()),
        unlisted=tuple(tuple(texts) for texts in facts.get("unlisted") or ()),
    )


def _is_answer_checked(decision: Record) -> bool:
    """Return whether a check of the answer ran, by the findings."""
    findings = decision.get("findings") or ()
    return any(each.get("stage") in _AFTER_CALL and says_something(each) for each in findings)


def _messages(side: str, value: Any, encrypted: frozenset[str]) -> tuple[Message, ...]:
    return tuple(
        Message(
            str(item["role"]),
            tuple(
                _part(part, is_encrypted=f"/{side}/{i}/parts/{j}" in encrypted) for j, part in enumerate(item["parts"])
            ),
            item.get("name"),
            item.get("finish_reason"),
        )
        for i, item in enumerate(_json(value) or ())
    )


def _part(item: Record, *, is_encrypted: bool = False) -> Part:
    """Return a part from the shape in which `specspan.record.content` writes it."""
    kind = item["type"]
    if kind == "text":
        return Text(item["content"])
    if kind == "reasoning":
        return Reasoning(item["content"], is_encrypted)
    if kind == "refusal":
        return Refusal(item["content"])
    if kind == "tool_call":
        return ToolCall(item["name"], item.get("arguments"), item.get("id"))
    if kind == "tool_call_response":
        return ToolCallResponse(item.get("response"), item.get("id"))
    if kind == "uri":
        return Media(item["modality"], item.get("uri"), item.get("mime_type"))
    return Unknown(str(kind))


def _overrides(decision: Record) -> Iterable[Override]:
    for each in decision.get("overrides") or ():
        if each.get("of_call"):
            until = each.get("until")
            yield Override(
                str(each["clause"]),
                str(each["by"]),
                str(each.get("reason") or ""),
                None if until is None else date.fromisoformat(until),
                OverrideKind(each.get("kind") or OverrideKind.EXPLICIT),
                _source(each.get("source")),
            )


def _source(value: Any) -> str | Evidence | None:
    if isinstance(value, Mapping):
        if "start" not in value:
            return str(value["pointer"])
        return Evidence(str(value["pointer"]), int(value["start"]), int(value["end"]))
    return _str(value)


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


def _str(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def recorded_span(attributes: Record, scope: str = "", events: Sequence[Record] = (), *, failed: bool) -> RecordedSpan:
    """Return a stored span as a dialect reads it."""
    read = tuple(Event(str(each.get("name")), each.get("attributes") or {}) for each in events)
    return RecordedSpan(attributes, scope, read, failed)
