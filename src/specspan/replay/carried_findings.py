"""Recorded findings in place of checks that a replay cannot run, or need not ask again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, TypeAlias

from specspan.call import ModelCall
from specspan.checks.check import CHECK_OUTCOMES, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.patterns import Pattern
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Judgement, Outcome
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.policy.policy import CheckBinding, Policy

Record = Mapping[str, Any]
CheckKey: TypeAlias = "tuple[str, str, str, str, str, str]"
"""Clause, stage, and name, mechanism, version and definition of a check; a judge's version is its definition."""
Definitions: TypeAlias = Mapping[tuple[str, str, str, str, str], str]
"""Digest of the definition by the rest of a key, of checks that are told apart by it alone."""

NOT_ASKED = "judge_not_asked"
"""Unassessed: no recorded finding is this judge's, and the replay asks no judge."""
_REF = ("name", "kind", "version")
_PENDING = Outcome.PENDING.value
_DECIDED = frozenset(outcome.value for outcome in CHECK_OUTCOMES) - {_PENDING}


def check_key(clause: str, traits: CheckTraits, ref: CheckRef, definition: str | None = None) -> CheckKey | None:
    """Return the key of a check of a clause; None for a check that nobody can tell from one of another definition."""
    rest = clause, traits.stage.value, ref.name, ref.mechanism.value, ref.version
    if ref.mechanism is CheckMechanism.JUDGE:
        return (*rest, "")
    return None if definition is None else (*rest, definition)


def findings_by_check(findings: Sequence[Record], definitions: Definitions) -> dict[CheckKey, Record]:
    """Return recorded findings by the check that made them."""
    found: dict[CheckKey, Record] = {}
    for each in findings:
        check = each.get("check")
        if isinstance(check, Mapping):
            rest = (
                str(each.get("clause")),
                str(each.get("stage")),
                str(check.get("name")),
                str(check.get("kind")),
                str(check.get("version")),
            )
            definition = "" if check.get("kind") == CheckMechanism.JUDGE else definitions.get(rest)
            if definition is not None:
                key: CheckKey = (*rest, definition)
                found[key] = each
    return found


def definitions_of(policies: Iterable[Record]) -> Definitions:
    """Return the definitions that policy records give; a check without one, or with several, is left out."""
    found: dict[tuple[str, str, str, str, str], set[str | None]] = {}
    for policy in policies:
        listed, definitions = policy.get("assessments") or (), policy.get("definitions") or ()
        for each, definition in zip_longest(listed, definitions):
            check = each.get("check") if isinstance(each, Mapping) else None
            if isinstance(each, Mapping) and isinstance(check, Mapping):
                names = (each.get("clause"), each.get("stage"), *(check.get(word) for word in _REF))
                clause, stage, name, kind, version = map(str, names)
                found.setdefault((clause, stage, name, kind, version), set()).add(definition)
    return {rest: str(next(iter(every))) for rest, every in found.items() if len(every) == 1 and None not in every}


def says_something(finding: Record | None) -> bool:
    """Return whether a recorded finding is that of a check that ran."""
    return finding is not None and finding.get("outcome") in _DECIDED and finding.get("check") is not None


def finding_of(record: Record) -> Finding:
    """Return a recorded finding as its check returned it."""
    judged = "applies" in record or "sampled" in record
    return Finding(
        Outcome(record["outcome"]),
        record.get("reason"),
        record.get("score"),
        evidence=tuple(Evidence(each["pointer"], each["start"], each["end"]) for each in record.get("evidence") or ()),
        judgement=Judgement(record.get("applies"), record.get("sampled", 1.0)) if judged else None,
    )


class RecordedFindings:
    """Findings of the call at hand as they were recorded: the runner of judges in a replay, who asks none again.

    A finding that came too late for its decision then comes too late now, and amends it.
    """

    def __init__(self, *, asks: bool = False) -> None:
        """Take no call yet. ``asks``: True to have a judge asked of whom there is no finding."""
        self._asks = asks
        self._by_check: Mapping[CheckKey, Record] = {}
        self._late: list[tuple[DeferredGroup, dict[int, Finding]]] = []

    def turn_to(self, by_check: Mapping[CheckKey, Record]) -> None:
        """Take the findings of the next call."""
        self._by_check = by_check
        self._late.clear()

    def finding(self, key: CheckKey) -> Finding:
        """Return the recorded finding of a check."""
        return finding_of(self._by_check[key])

    def start(self, group: DeferredGroup) -> str | None:
        """Give a group the findings that its checks made, now or after the decision."""
        findings, is_late = {}, False
        for each in group.checks:
            check = each.check
            key = check_key(check.clause_id, check.traits, check.ref)
            record = None if key is None else self._by_check.get(key)
            if record is not None and record.get("outcome") == _PENDING:
                return None  # never finished then, and not now
            findings[check.position] = self._found(each, group.call, record)
            is_late = is_late or (record is not None and "late_unix_nano" in record)
        if is_late:
            self._late.append((group, findings))
        else:
            group.finish(findings)
        return None

    def finish_late(self) -> None:
        """Give the groups their findings that came after the decision."""
        for group, findings in self._late:
            group.finish(findings)
        self._late.clear()

    def flush(self, timeout_s: float) -> bool:
        """Return True: nothing runs by itself."""
        return True

    def shutdown(self, timeout_s: float) -> None:
        """Do nothing: nothing runs by itself."""

    def _found(self, each: ChosenCheck, call: ModelCall, record: Record | None) -> Finding:
        check = each.check
        if record is not None:
            if says_something(record):
                return check.finding_from(finding_of(record))
            return replace(check.unassessed, reason=record.get("reason"))
        if self._asks:
            return check.finding_from(check.decide(call, ()))
        return replace(check.unassessed, reason=NOT_ASKED)


@dataclass(frozen=True, slots=True)
class CarriedCheck:
    """Check that gives the finding that the same check made when the call was decided first."""

    ref: CheckRef
    traits: CheckTraits
    key: CheckKey
    recorded: RecordedFindings

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Return the recorded finding."""
        return self.recorded.finding(self.key)


BindingKey: TypeAlias = "tuple[str, int]"
"""Clause, and the place of a check among its checks."""


def bindings_of(policy: Policy) -> Iterator[tuple[BindingKey, CheckKey | None, CheckBinding]]:
    """Yield every check of a policy, with its place and its key."""
    for name, bound in policy.clauses.items():
        for place, binding in enumerate(bound.checks):
            yield (name, place), check_key(name, binding.check.traits, binding.check.ref, binding.definition), binding


def carry(
    policy: Policy,
    recorded: RecordedFindings,
    carried: Mapping[BindingKey, CheckKey],
    left_out: Collection[BindingKey],
) -> Policy:
    """Return a policy of which some checks give their recorded findings, and some are not there."""
    clauses = {}
    for name, bound in policy.clauses.items():
        checks = []
        for place, binding in enumerate(bound.checks):
            check, key = binding.check, carried.get((name, place))
            if key is not None:
                traits = _carried_traits(check.traits)
                limit_s = binding.timeout_limit_s if traits.background is not None else None
                carried_check = CarriedCheck(check.ref, traits, key, recorded)
                checks.append(replace(binding, check=carried_check, timeout_limit_s=limit_s))
            elif (name, place) not in left_out:
                checks.append(binding)
        clauses[name] = replace(bound, checks=tuple(checks))
    return replace(policy, clauses=clauses)


def _carried_traits(traits: CheckTraits) -> CheckTraits:
    """Return the traits of a check that needs nothing of the call, and acts on a stream where the check could."""
    grows = traits.finds_in_part is not PartialFindings.NONE
    grows = grows and not any(Pattern(source).needs_end for source in traits.prefilter)
    return CheckTraits(
        traits.stage,
        needs=frozenset(),
        finds_in_part=PartialFindings.VIOLATIONS if grows else PartialFindings.NONE,
        background=traits.background,
    )
