"""Figures of the overview: counts of a store put together for a chart, tables and tiles. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.console.outcome_words import VERDICTS
from specspan.console.time_ranges import TimeRange
from specspan.sqlite.model import ClauseCount, DecisionHour, JudgeUsage

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bucket:
    """Decisions of one bar of the chart."""

    start_unix: int
    verdicts: Mapping[str, int]
    considered: int
    unassessed: int

    @property
    def decisions(self) -> int:
        """Number of decisions, whatever their verdict."""
        return sum(self.verdicts.values())


@dataclass(frozen=True, slots=True)
class ClauseViolations:
    """Violations of one clause."""

    clause: str
    title: str | None
    authority: str | None
    count: int


@dataclass(frozen=True, slots=True)
class Change:
    """Moment at which a service went over to another policy or spec."""

    time_unix_nano: int
    service: str | None
    words: str
    """Sentence that says what changed."""
    is_first: bool
    """True where the service had no policy before."""


@dataclass(frozen=True, slots=True)
class JudgeFigures:
    """Judges' own calls, all models together."""

    requests: int
    cost_usd: float | None
    tokens: int
    models: Sequence[JudgeUsage]


def fill_buckets(hours: Iterable[DecisionHour], time_range: TimeRange, since_unix: int, now_unix: int) -> list[Bucket]:
    """Return the bars of a chart from the first to the last, those without a decision among them."""
    width = time_range.bucket_s
    verdicts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    considered: Counter[int] = Counter()
    unassessed: Counter[int] = Counter()
    for hour in hours:
        start = hour.hour_unix // width * width
        verdicts[start][hour.verdict] += hour.decisions
        considered[start] += hour.considered
        unassessed[start] += hour.unassessed
    if not verdicts:
        return []
    first = min(verdicts) if time_range.seconds is None else since_unix // width * width
    starts = range(first, max(*verdicts, now_unix // width * width) + 1, width)
    return [Bucket(start, verdicts[start], considered[start], unassessed[start]) for start in starts]


def verdict_totals(buckets: Iterable[Bucket]) -> dict[str, int]:
    """Return the number of decisions by verdict, in the order of verdicts, and those of unknown verdicts."""
    totals: Counter[str] = Counter()
    for bucket in buckets:
        totals.update(bucket.verdicts)
    return {
        **{name: totals[name] for name in VERDICTS if totals[name]},
        **{n: c for n, c in totals.items() if n not in VERDICTS},
    }


def violations(counts: Iterable[ClauseCount], policies: Sequence[Record]) -> list[ClauseViolations]:
    """Return violations by clause, the most first, with what the latest policy says of each clause."""
    known: dict[str, Record] = {}
    for policy in policies:
        known.update({str(clause.get("id")): clause for clause in policy.get("clauses") or ()})
    found = [
        ClauseViolations(
            each.clause,
            known.get(each.clause, {}).get("title"),
            known.get(each.clause, {}).get("authority"),
            each.findings,
        )
        for each in counts
    ]
    return sorted(found, key=lambda each: (-each.count, each.clause))


def by_authority(found: Iterable[ClauseViolations]) -> list[tuple[str, int]]:
    """Return violations by level of authority, the most first."""
    totals: Counter[str] = Counter()
    for each in found:
        totals[each.authority or "unknown"] += each.count
    return totals.most_common()


def changes(activations: Iterable[Record], since_unix_nano: int) -> list[Change]:
    """Return the changes of policy and spec since a time, the latest first.

    Each process of a service records its policy when it starts: only another policy than the one before is a change.
    """
    current: dict[str | None, Record] = {}
    found = []
    for activation in activations:
        service = _name(activation.get("service"))
        before = current.get(service)
        current[service] = activation
        when = int(activation.get("time_unix_nano") or 0)
        if before is not None and before.get("id") == activation.get("id"):
            continue
        if when >= since_unix_nano:
            found.append(Change(when, service, _words(before, activation), before is None))
    return found[::-1]


def judge_figures(usage: Sequence[JudgeUsage]) -> JudgeFigures:
    """Return judges' own calls, all models together."""
    costs = [each.cost_usd for each in usage if each.cost_usd is not None]
    return JudgeFigures(
        sum(each.requests for each in usage),
        sum(costs) if costs else None,
        sum(each.input_tokens + each.output_tokens for each in usage),
        usage,
    )


def _words(before: Record | None, after: Record) -> str:
    specs = ", ".join(_spec_words(spec) for spec in after.get("spec") or ())
    if before is None:
        return f"First policy: {_short(after)}, under {specs or 'no spec'}."
    old = {spec.get("id"): spec for spec in before.get("spec") or ()}
    changed = [
        f"{spec.get('id')} {_version(old[spec.get('id')])} → {_version(spec)}"
        if spec.get("id") in old
        else f"{_spec_words(spec)} added"
        for spec in after.get("spec") or ()
        if old.get(spec.get("id"), {}).get("digest") != spec.get("digest")
    ]
    parts = [f"Policy {_short(before)} → {_short(after)}"] if _short(before) != _short(after) else []
    if before.get("mode") != after.get("mode"):
        parts.append(f"mode {before.get('mode')} → {after.get('mode')}")
    sentence = "; ".join([*parts, *(f"spec {each}" for each in changed)]) or "Policy record changed"
    return f"{sentence}."


def _spec_words(spec: Record) -> str:
    return f"{spec.get('id')} {_version(spec)}"


def _version(spec: Record) -> str:
    return str(spec.get("version") or str(spec.get("digest"))[:19])


def _short(policy: Record) -> str:
    digest = str((policy.get("policy") or {}).get("digest") or "")
    return digest.removeprefix("sha256:")[:8] or "unknown"


def _name(service: Any) -> str | None:
    name = service.get("name") if isinstance(service, Mapping) else service
    return None if name is None else str(name)
