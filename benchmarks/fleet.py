"""Simulated fortnight of a fleet, by a seed: what incidents and reports are held against.

Three services, two versions of the spec, four changes of the policy, one faulty deployment of a service, and one wave
of prompt injections. `Truth` says what was put in. The faulty deployment makes calls violate ``protect_privacy``; the
wave makes calls of every service violate ``resist_injection`` for some hours, and ``protect_privacy`` a little.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from specspan.sqlite import SQLiteDecisionExporter

Record = dict[str, Any]

START_NS = 1_789_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
DAYS = 14
END_NS = START_NS + DAYS * 24 * HOUR_NS
CLAUSES = ("protect_privacy", "resist_injection", "be_kind", "cite_sources", "no_advice", "be_brief")
TEXTS = {"protect_privacy": "Never tell one customer anything about another."}
SERVICES = ("support-desk", "shop", "back-office")
MODELS = ("gpt-5-mini", "claude-sonnet-4-5")
BASE_RATE = {"protect_privacy": 0.0005, "resist_injection": 0.0002, "be_kind": 0.004, "no_advice": 0.001}
FAULTY = "shop 2.5.0"
"""Service version that the faulty deployment brought."""
FAULT_RATE = 0.03
WAVE_RATE = 0.05
FAULT_NS = START_NS + 9 * 24 * HOUR_NS + 7 * HOUR_NS
FAULT_END_NS = START_NS + 11 * 24 * HOUR_NS + 2 * HOUR_NS
WAVE_NS = START_NS + 10 * 24 * HOUR_NS
WAVE_END_NS = WAVE_NS + 8 * HOUR_NS
_SPEC_NS = START_NS + 6 * 24 * HOUR_NS
_POLICY_NS = tuple(START_NS + hours * HOUR_NS for hours in (0, 50, 140, 219, 290))
"""Times at which each policy came into force: the first, and four changes of it."""
_DEPLOYED = {
    "support-desk": ((START_NS, "1.0.0"), (START_NS + 200 * HOUR_NS, "1.1.0")),
    "shop": ((START_NS, "2.4.0"), (FAULT_NS, "2.5.0"), (FAULT_END_NS, "2.5.1")),
    "back-office": ((START_NS, "7.0.0"), (START_NS + 222 * HOUR_NS, "7.0.1")),
}
_BATCH = 2_000


@dataclass(slots=True)
class Truth:
    """What the generator put in."""

    decisions: int = 0
    decided: Counter[str] = field(default_factory=Counter)
    """Number of decisions by clause that found it violated or complied with."""
    violated: Counter[str] = field(default_factory=Counter)
    by_service: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Number of violations by clause and service."""
    verdicts: Counter[str] = field(default_factory=Counter)


def policy_records() -> list[Record]:
    """Return the records of the five policies."""
    return [
        {
            "v": 2,
            "type": "policy",
            "id": f"record-{number}",
            "time_unix_nano": when,
            "service": {"name": SERVICES[0]},
            "spec": [{"id": "desk", "version": spec, "digest": f"sha256:desk{spec}"}],
            "policy": {"digest": policy_digest(number), "layers": [{"source": "policy.yaml", "digest": "sha256:x"}]},
            "mode": "observe",
            "clauses": [
                {"id": clause, "title": clause.replace("_", " "), "authority": "user", "checked": True}
                | ({"text": TEXTS[clause]} if clause in TEXTS else {})
                for clause in CLAUSES
            ],
            "assessments": [_assessment(clause, number) for clause in CLAUSES],
        }
        for number, (when, spec) in enumerate((when, spec_version(when)) for when in _POLICY_NS)
    ]


def policy_digest(number: int) -> str:
    """Return the digest of a policy, of which the second is number 1."""
    return f"sha256:{number}" + "0a" * 31


def spec_version(when: int) -> str:
    """Return the version of the spec in force at a time."""
    return "1" if when < _SPEC_NS else "2"


def decision_records(count: int, truth: Truth, seed: int = 11) -> Iterator[Record]:
    """Yield decisions in the order of time, and tell ``truth`` what is in them."""
    chance = random.Random(seed)
    for number in range(count):
        when = START_NS + number * (END_NS - START_NS) // count
        record = _decision(chance, number, when)
        truth.decisions += 1
        truth.verdicts[record["verdict"]] += 1
        violated = {finding["clause"] for finding in record["findings"]}
        for clause in CLAUSES:
            truth.decided[clause] += 1
        for clause in violated:
            truth.violated[clause] += 1
            truth.by_service[clause, record["service"]["name"]] += 1
        yield record


def write_fleet(path: str | os.PathLike[str], count: int, seed: int = 11) -> Truth:
    """Write the fortnight into a SQLite file, and return what is in it."""
    truth, exporter = Truth(), SQLiteDecisionExporter(path)
    exporter.export(policy_records())
    records = decision_records(count, truth, seed)
    while batch := list(islice(records, _BATCH)):
        exporter.export(batch)
    exporter.shutdown()
    return truth


def _decision(chance: random.Random, number: int, when: int) -> Record:
    service, model = chance.choice(SERVICES), chance.choice(MODELS)
    version = _in_force(_DEPLOYED[service], when)
    policy = sum(when >= start for start in _POLICY_NS) - 1
    violated = [clause for clause in CLAUSES if chance.random() < _rate(clause, service, version, when)]
    quiet = [place for place, clause in enumerate(CLAUSES) if clause not in violated]
    findings = [
        {**_assessment(clause, policy), "position": CLAUSES.index(clause), "outcome": "violated", "reason": "found"}
        for clause in violated
    ]
    verdict = "violated" if violated else "complied"
    return {
        "v": 2,
        "type": "decision",
        "id": f"{when // 10**6:012x}-{number:07x}-{chance.getrandbits(32):08x}",
        "time_unix_nano": when,
        "service": {"name": service, "version": version},
        "spec": [{"id": "desk", "version": spec_version(when)}],
        "policy": {"digest": policy_digest(policy), "record": f"record-{policy}"},
        "call": {
            "provider": "openai",
            "operation": "chat",
            "model": model,
            "usage": {"input_tokens": 200, "output_tokens": 50},
        },
        "mode": "observe",
        "verdict": verdict,
        "action": "flag" if violated else "allow",
        **({"governing_clause": violated[0], "reason": "found"} if violated else {}),
        "outcomes": {"complied": ",".join(map(str, quiet))} if quiet else {},
        "findings": findings,
        "counts": {"considered": len(CLAUSES), "not_applicable": 0, "unassessed": 0},
        "overhead_ns": chance.randrange(50_000, 400_000),
    }


def _rate(clause: str, service: str, version: str, when: int) -> float:
    rate = BASE_RATE.get(clause, 0.0)
    if clause == "protect_privacy" and f"{service} {version}" == FAULTY:
        rate += FAULT_RATE
    if WAVE_NS <= when < WAVE_END_NS and clause in ("resist_injection", "protect_privacy"):
        rate += WAVE_RATE if clause == "resist_injection" else WAVE_RATE / 10
    return rate


def _in_force(versions: Sequence[tuple[int, str]], when: int) -> str:
    return next(version for start, version in reversed(versions) if when >= start)


def _assessment(clause: str, policy: int) -> Record:
    check = {"name": f"{clause}_check", "kind": "pattern", "version": "2" if policy >= 3 else "1"}
    return {
        "clause": clause,
        "authority": "user",
        "severity": "high",
        "action": "flag",
        "stage": "output",
        "check": check,
    }
