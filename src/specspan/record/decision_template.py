"""Canonical JSON of decision records, written into templates: calls under one policy differ in few members.

A template is made from the record of a call, as `RecordBuilder` builds it, by cutting the call's own values out of its
bytes. A later call with the same shape fills in its values, for a fraction of what building and encoding it costs. What
deviates (findings in full, overrides, redactions, scopes, tools) is built and encoded anew.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Hashable, Mapping
from itertools import count
from json.encoder import encode_basestring
from typing import Any, Final, NamedTuple

from specspan._support.caches import BoundedCache
from specspan.call import WHOLE, ModelCall, Reasoning, Unknown, Usage
from specspan.decision import Decision
from specspan.ledger.canonical_json import MAX_EXACT, canonical_json
from specspan.record.attributes import safe_text
from specspan.record.call_end import CallRecord
from specspan.record.content_digest import ContentDigest
from specspan.record.finding_references import Findings
from specspan.record.policy_record import PolicyRecord

_MAX_TEMPLATES: Final = 256
_MARK: Final = secrets.token_hex(8)
_SLOT = re.compile(rf'"{_MARK}-(\d+)"'.encode())
_OWN: Final = ("id", "overhead_ns", "span_id", "time_unix_nano", "trace_id")
"""Members that each call has a value of its own for, in the order of canonical JSON."""
_OWN_OF_CALL: Final = ("input_digest", "output_digest", "response_id")
_COUNTERS: Final = tuple(sorted(Usage.__dataclass_fields__))


class _Template(NamedTuple):
    data: bytes
    """Bytes with a place for each value, as the operator ``%`` takes them."""
    held: tuple[object, object]
    """Objects that are told by their identity, held so that no others get it."""


class DecisionTemplates:
    """Templates of the records of one builder."""

    def __init__(self, build: Callable[[CallRecord], dict[str, Any]], digest: ContentDigest) -> None:
        """Use ``build`` to make the record of a call whose shape is new."""
        self._build = build
        self._digest = digest
        self._templates: BoundedCache[Hashable, _Template] = BoundedCache(_MAX_TEMPLATES)

    def encode(self, item: CallRecord, decision: Decision, policy: PolicyRecord | None) -> bytes:
        """Return the record of a decision as canonical JSON, its time as a string."""
        known = None if policy is None else policy.references.known(decision.findings)
        if known is None or policy is None or not _is_plain(item.call, decision):
            return encode_record(self._build(item))
        key, values = _shape(item, decision, self._digest)
        key = (id(known), id(policy), *key)
        template = self._templates.get(key)
        if template is None:
            template = self._make(item, known, policy, len(values))
            if template is None:
                return encode_record(self._build(item))
            self._templates[key] = template
        return template.data % tuple(values)

    def _make(self, item: CallRecord, known: Findings, policy: PolicyRecord, places: int) -> _Template | None:
        """Return the template of a record; None where its values are not those that calls fill in."""
        data = canonical_json(_marked(self._build(item))).replace(b"%", b"%%")
        order = [int(each) for each in _SLOT.findall(data)]
        if order != sorted(order) or len(order) != places:
            return None
        return _Template(_SLOT.sub(b"%b", data), (known, policy))


def encode_record(record: Mapping[str, Any]) -> bytes:
    """Return any record as canonical JSON, its time as a string, as all readers of JSON can hold it."""
    return canonical_json({**record, "time_unix_nano": str(record["time_unix_nano"])})


def _is_plain(call: ModelCall, decision: Decision) -> bool:
    """Return whether a record holds nothing but what every call has."""
    if decision.governing_clause is not None or decision.overrides or decision.redacted or decision.reviews:
        return False
    if decision.released_chars is not None or call.gaps is not WHOLE or call.request.executes is not None:
        return False
    if call.context.scope is not None or call.context.standing is not None:
        return False
    classes = [part.__class__ for message in (*call.input, *call.output) for part in message.parts]
    return Unknown not in classes and (decision.reads_reasoning or Reasoning not in classes)


def _shape(item: CallRecord, decision: Decision, digest: ContentDigest) -> tuple[tuple[Hashable, ...], list[bytes]]:
    """Return what is the same in all records of a template, and a call's own values in their order in the JSON."""
    call, summary, span = item.call, decision.summary, item.span_context
    request, response = call.request, call.response
    input_digest = digest.of(call.input)
    output_digest = digest.of(call.output)
    values = [f'"{each}"'.encode() for each in (input_digest, output_digest) if each is not None]
    response_id = None if response is None else response.id
    if response_id is not None:
        values.append(_text(safe_text(response_id)))
    counted = None if response is None else _counted(response.usage, values)
    is_traced = span.is_valid
    values.append(_text(decision.id))
    if overhead_ns := sum(item.timing.overhead_ns.values()):
        values.append(b"%d" % overhead_ns)
    if is_traced:
        values.append(b'"%016x"' % span.span_id)
    values.append(b'"%d"' % decision.time_unix_nano)
    if is_traced:
        values.append(b'"%032x"' % span.trace_id)
    key = (
        *(input_digest is None, output_digest is None, response_id is None, counted, is_traced, overhead_ns == 0),
        *(request.provider, request.operation, request.model, item.dialect, decision.reason),
        *(id(decision.mode), id(decision.verdict), id(decision.action), id(decision.would)),
        *(summary.considered, summary.not_applicable, summary.unassessed),
    )
    return key, values


def _counted(usage: Usage, values: list[bytes]) -> tuple[str, ...]:
    """Add the numbers of tokens that are known to the values, and return their names."""
    names = []
    for name in _COUNTERS:
        number = getattr(usage, name)
        if number is not None:
            names.append(name)
            values.append(b"%d" % number if number.__class__ is int and abs(number) <= MAX_EXACT else _any(number))
    return tuple(names)


def _text(text: str) -> bytes:
    return encode_basestring(text).encode("utf-8", "replace")


def _any(value: Any) -> bytes:
    return canonical_json({"": value})[4:-1]


def _marked(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with a mark in the place of each value that is a call's own."""
    numbers = count()

    def mark(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        return {**values, **{name: f"{_MARK}-{next(numbers)}" for name in names if name in values}}

    call = mark(record["call"], _OWN_OF_CALL)
    if "usage" in call:
        call["usage"] = mark(call["usage"], _COUNTERS)
    return mark({**record, "call": call}, _OWN)
