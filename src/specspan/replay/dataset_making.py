"""Cases of a dataset, made of recorded decisions and of what people ruled about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.decision import Outcome
from specspan.record import conventions as names
from specspan.replay.carried_findings import definitions_of
from specspan.replay.dataset import DatasetCase
from specspan.replay.recorded_call import read_recorded_call, recorded_span
from specspan.replay.redaction import Redactor, personal_data_detectors
from specspan.replay.stored_calls import clause_outcomes_of
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]

_TEXTS = (names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.SYSTEM_INSTRUCTIONS, names.CALL_FACTS)
_JSON = (*_TEXTS, names.TOOL_DEFINITIONS)
_KEPT = frozenset(
    (
        *_JSON,
        names.REQUEST_STREAM,
        names.STREAM_END,
        names.ERROR_TYPE,
        names.OUTPUT_TYPE,
        names.CONTENT_TRUNCATED,
        names.RESPONSE_FINISH_REASONS,
        names.RESPONSE_MODEL,
    )
)
_DECISION = (
    "v", "type", "id", "time_unix_nano", "spec", "policy", "mode", "verdict", "action", "would", "governing_clause",
    "reason", "redacted", "stream", "overrides", "amended",
)  # fmt: skip
_FINDING = (
    "clause", "authority", "outcome", "severity", "action", "score", "reason", "stage", "check", "evidence",
    "late_unix_nano", "applies", "sampled",
)  # fmt: skip
_SURE = frozenset((Outcome.COMPLIED.value, Outcome.VIOLATED.value))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Decision of which no case can be made."""

    decision: str
    reason: str
    """Reason as in `specspan.replay.recorded_call`, or ``missing_policy_record``."""


def make_case(
    reader: StoreReader,
    decision: Record,
    *,
    expected: Mapping[str, str],
    source: Record,
    patterns: Sequence[re.Pattern[str]] = (),
    clause: str | None = None,
) -> DatasetCase | Refusal:
    """Return the case of a decision, or why there is none.

    Args:
        reader: the store of the decision.
        decision: its record, with every finding in full.
        expected: outcome by clause; empty for what was decided, where that is complied or violated.
        source: where the case came from.
        patterns: what is to be redacted besides personal data.
        clause: the only clause of which the decided outcome is expected; None for all.
    """
    trace_id, span_id = decision.get("trace_id"), decision.get("span_id")
    spans = reader.spans(trace_id) if trace_id else ()
    span = next((each for each in spans if each.span_id == span_id), None)
    attributes = {} if span is None else dict(span.attributes)
    recorded = read_recorded_call(
        decision, recorded_span(attributes, failed=span is not None and span.status == "ERROR")
    )
    if recorded.missing is not None:
        return Refusal(str(decision["id"]), recorded.missing)
    outcomes = clause_outcomes_of(decision)
    redactor = Redactor(str(decision["id"]), personal_data_detectors(), patterns)
    kept = {name: _redacted(redactor, name, value) for name, value in sorted(attributes.items()) if _is_kept(name)}
    digest = str((decision.get("policy") or {}).get("digest"))
    return DatasetCase(
        source={**source, "redactions": dict(sorted(redactor.counts.items()))} if redactor.counts else source,
        expected=dict(expected)
        or {name: outcome for name, outcome in sorted(outcomes.items()) if outcome in _SURE and clause in (None, name)},
        decision=_decision(decision),
        attributes=kept,
        definitions=definitions_of(reader.policies([digest])),
    )


def _is_kept(name: str) -> bool:
    """Return whether a replay needs an attribute; users, conversations and ids of answers are left out."""
    return name in _KEPT or (name.startswith(names.REQUEST_PREFIX) and name != names.REQUEST_MODEL)


def _redacted(redactor: Redactor, name: str, value: Any) -> Any:
    if name not in _TEXTS:
        return value
    document = json.loads(value) if isinstance(value, str) else value
    return json.dumps(redactor.redact(document), ensure_ascii=False)


def _decision(decision: Record) -> dict[str, Any]:
    """Return the members of a decision record that a replay needs, without explanations, which may quote content."""
    call = decision.get("call") or {}
    found = {name: decision[name] for name in _DECISION if decision.get(name) not in (None, [], {})}
    found["call"] = {name: call[name] for name in ("provider", "operation", "model", "tool") if call.get(name)}
    found["findings"] = [
        {name: each[name] for name in _FINDING if each.get(name) not in (None, [], {})}
        for each in decision.get("findings") or ()
    ]
    return found


def merge_cases(known: Iterable[DatasetCase], new: Iterable[DatasetCase]) -> list[DatasetCase]:
    """Return cases with those of the same call and origin replaced by the new ones."""
    merged = {(str(case.decision["id"]), str(case.source.get("kind"))): case for case in known}
    merged |= {(str(case.decision["id"]), str(case.source.get("kind"))): case for case in new}
    return list(merged.values())
