"""Traffic of a few days for stores: records of a policy and of decisions, and the spans of their calls. By a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

Record = dict[str, Any]

START_NS = 1_790_000_000_000_000_000
_MS, _HOUR_NS = 10**6, 3_600_000_000_000
CLAUSES = tuple(f"clause_{number:02}" for number in range(40))
SERVICES = ("support-desk", "shop", "back-office")
MODELS = (("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"), ("openai", "nobody's"))
POLICIES = ("sha256:first", "sha256:second")
_TRACES_SHARE = 0.9
_SCOPE = InstrumentationScope("specspan", "1.0")


def policy_records() -> list[Record]:
    """Return the records of two policies, of 40 clauses with 46 checks."""
    return [
        {
            "v": 2,
            "type": "policy",
            "id": f"record-{digest}",
            "time_unix_nano": START_NS,
            "service": {"name": SERVICES[0]},
            "spec": [{"id": "desk", "version": str(number), "digest": f"sha256:desk{number}"}],
            "policy": {"digest": digest, "layers": [{"source": "policy.yaml", "digest": digest}]},
            "mode": "observe",
            "clauses": [{"id": clause, "title": clause, "authority": "user", "checked": True} for clause in CLAUSES],
            "assessments": [_assessment(clause) for clause in (*CLAUSES, *CLAUSES[:6])],
        }
        for number, digest in enumerate(POLICIES)
    ]


def decision_records(count: int, seed: int = 7, days: int = 5) -> Iterator[Record]:
    """Yield decisions in the order of time, one in 20 of them late by up to a minute."""
    chance = random.Random(seed)
    for number in range(count):
        when = START_NS + number * days * 24 * _HOUR_NS // count
        if chance.random() < 0.05:
            when -= chance.randrange(60 * 10**9)
        yield _decision(chance, number, when)


def spans_of(records: Sequence[Record]) -> list[ReadableSpan]:
    """Return the span of each decision that has a trace, and of the work around it."""
    spans = []
    for record in records:
        if "trace_id" in record:
            trace_id, span_id = int(record["trace_id"], 16), int(record["span_id"], 16)
            resource = Resource({"service.name": record["service"]["name"]})
            root = SpanContext(trace_id, span_id ^ 1, is_remote=False, trace_flags=TraceFlags(1))
            call = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1))
            start = record["time_unix_nano"] - 900 * _MS
            own = {"user.id": f"user-{trace_id % 17}"}
            decided = {
                **own,
                "gen_ai.request.model": record["call"]["model"],
                "specspan.decision.id": record["id"],
                "specspan.decision.verdict": record["verdict"],
                "specspan.decision.action": record["action"],
                "specspan.clauses.violated": sorted(
                    {each["clause"] for each in record.get("findings", ()) if each["outcome"] == "violated"}
                ),
            }
            for name, context, parent, attributes, begins_ns, ends_ns in (
                ("answer", root, None, own, start, start + 950 * _MS),
                ("chat", call, root, decided, start + 10 * _MS, start + 900 * _MS),
            ):
                spans.append(
                    ReadableSpan(
                        name,
                        context,
                        parent,
                        resource,
                        attributes,
                        kind=SpanKind.INTERNAL if parent is None else SpanKind.CLIENT,
                        start_time=begins_ns,
                        end_time=ends_ns,
                        instrumentation_scope=_SCOPE,
                    )
                )
    return spans


def _decision(chance: random.Random, number: int, when: int) -> Record:
    policy = POLICIES[chance.random() < 0.3]
    provider, model = chance.choice(MODELS)
    record: Record = {
        "v": 2,
        "type": "decision",
        "id": f"{when // _MS:012x}-{number:06x}-{chance.getrandbits(32):08x}",
        "time_unix_nano": when,
    }
    if chance.random() < _TRACES_SHARE:
        record |= {
            "trace_id": f"{chance.getrandbits(128) | 1:032x}",
            "span_id": f"{chance.getrandbits(62) << 1 | 2:016x}",
        }
    usage = {"input_tokens": chance.randrange(20, 4000), "output_tokens": chance.randrange(1, 900)}
    outcomes, findings = _outcomes(chance)
    verdict = next(
        (each for each in ("violated", "uncertain") if any(f["outcome"] == each for f in findings)), "complied"
    )
    unassessed = len(outcomes.pop("not assessed"))
    return record | {
        "service": {"name": chance.choice(SERVICES)},
        "spec": [{"id": "desk", "version": str(POLICIES.index(policy))}],
        "policy": {"digest": policy, "record": f"record-{policy}"},
        "call": {"provider": provider, "operation": "chat", "model": model, "usage": usage},
        "mode": "observe",
        "verdict": verdict,
        "action": "allow" if verdict == "complied" else "flag",
        **({} if verdict == "complied" else {"governing_clause": findings[0]["clause"], "reason": "found"}),
        "outcomes": outcomes,
        "findings": findings,
        "counts": {"considered": 40, "not_applicable": 2, "unassessed": unassessed + (number % 3 == 0)},
        "overhead_ns": chance.randrange(50_000, 400_000),
    }


def _outcomes(chance: random.Random) -> tuple[dict[str, Any], list[Record]]:
    """Return outcomes by reference, with the clauses that were not assessed beside, and the findings in full."""
    deviating = {n: chance.choice(("violated", "violated", "uncertain")) for n in range(30) if chance.random() < 0.002}
    sampled_out = {number for number in range(36, 40) if chance.random() < 0.5}
    by_label: dict[str, list[int]] = {}
    for number in range(46):
        if number in deviating:
            continue
        label = "unassessed:not_sampled" if number in sampled_out else "complied"
        by_label.setdefault("not_applicable:other_context" if number in (34, 35) else label, []).append(number)
    findings = [
        {**_assessment(CLAUSES[number]), "position": number, "outcome": outcome, "reason": "found", "score": 0.5}
        for number, outcome in sorted(deviating.items())
    ]
    outcomes: dict[str, Any] = {label: _ranges(numbers) for label, numbers in by_label.items()}
    return {**outcomes, "not assessed": {CLAUSES[number] for number in sampled_out}}, findings


def _ranges(numbers: Sequence[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _assessment(clause: str) -> Record:
    check = {"name": clause, "kind": "pattern", "version": "1"}
    return {
        "clause": clause,
        "authority": "user",
        "severity": "high",
        "action": "flag",
        "stage": "output",
        "check": check,
    }
