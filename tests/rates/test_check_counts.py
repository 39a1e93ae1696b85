"""Counts of findings by check, from decision records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.calibration.calibration_file import Calibration, JudgeCalibration
from specspan.calibration.error_rates import ErrorRates
from specspan.rates.check_counts import count_by_check
from specspan.rates.rate import find_rates, rate_json

JUDGE = {"name": "openai:gpt-5-mini", "kind": "judge", "version": "sha256:1"}
PATTERN = {"name": "ssn", "kind": "pattern", "version": "1"}


def found(outcome: str, check: Mapping[str, str] | None = None, clause: str = "be_kind", **more: Any) -> dict[str, Any]:
    """Finding as a record has it."""
    return {"clause": clause, "outcome": outcome, "check": dict(check or JUDGE), **more}


def decided(*findings: dict[str, Any], number: int = 0, service: str = "desk", version: str = "1") -> dict[str, Any]:
    """Decision record in full."""
    spec = [{"id": "shop", "version": version, "digest": "sha256:s"}]
    return {"id": f"d-{number}", "service": {"name": service}, "spec": spec, "findings": list(findings)}


def test_each_check_of_a_clause_is_counted_apart() -> None:
    """By its digest, too: another prompt is another judge."""
    changed = {**JUDGE, "version": "sha256:2"}
    counts = count_by_check(
        [decided(found("complied"), found("violated", PATTERN)), decided(found("violated", changed))]
    )
    assert [(each.check.name, each.check.version, each.sample.violations) for each in counts] == [
        ("openai:gpt-5-mini", "sha256:1", 0),
        ("openai:gpt-5-mini", "sha256:2", 1),
        ("ssn", "1", 1),
    ]


def test_only_what_was_decided_is_in_a_share() -> None:
    """Neither what was uncertain or failed, nor calls that nobody judged, nor those with nothing to read."""
    outcomes = ("complied", "violated", "not_applicable", "uncertain", "error", "pending")
    records = [decided(found(outcome), number=number) for number, outcome in enumerate(outcomes)]
    records.append(decided(found("unassessed", reason="not_sampled")))
    records.append(decided(found("not_applicable", reason="nothing_to_read")))

    (counts,) = count_by_check(records)

    assert (counts.sample.calls, counts.sample.violations) == (3, 1)
    assert counts.reasons == {"not_sampled": 1}
    assert counts.outcomes["uncertain"] == counts.outcomes["error"] == counts.outcomes["pending"] == 1


def test_a_finding_that_nobody_made_by_a_check_counts_nowhere() -> None:
    """An override, and a clause whose circumstances were others."""
    assert count_by_check([decided({"clause": "c", "outcome": "overridden", "check": None}), decided()]) == []


def test_calls_are_weighed_by_how_likely_they_were_chosen() -> None:
    """And a probability that is none weighs as one."""
    odd = [0, -1, 2, True, None, "0.1", float("nan")]
    (counts,) = count_by_check(
        [decided(found("violated", sampled=0.1)), *(decided(found("complied", sampled=s)) for s in odd)]
    )
    assert counts.sample.decided == {0.1: 1, 1.0: len(odd)}
    assert counts.sample.share == 10 / (10 + len(odd))


def test_groups_are_services_or_versions_of_the_spec() -> None:
    """A decision without a service has a group of its own."""
    records = [decided(found("complied")), decided(found("violated"), version="2")]
    assert [each.check.group for each in count_by_check(records, by="spec_version")] == ["shop 1", "shop 2"]
    assert [
        each.check.group for each in count_by_check([{"id": "d", "findings": [found("complied")]}], by="service")
    ] == [None]


def test_a_judge_is_corrected_and_a_pattern_is_not() -> None:
    """A judge without a calibration has a reason in place of a number, and a stale one says which digests."""
    violated = [decided(found("violated"), found("violated", PATTERN, "keep_secrets"))] * 14
    complied = [decided(found("complied"), found("complied", PATTERN, "keep_secrets"))] * 86
    errors = ErrorRates(50, 45, 100, 95)
    calibrated = JudgeCalibration("be_kind", JUDGE["name"], JUDGE["version"], errors)
    older = JudgeCalibration("be_kind", JUDGE["name"], "sha256:0", errors)

    def rates(*judges: JudgeCalibration) -> list[dict[str, Any]]:
        calibrations = [Calibration(0, "", "", "", (each,)) for each in judges]
        return [rate_json(each) for each in find_rates(count_by_check(violated + complied), calibrations)]

    judge, pattern = rates(older, calibrated)
    assert judge["raw"] == {"share": 0.14, "of": 100}
    assert 0.10 < judge["corrected"]["share"] < 0.11
    assert judge["calibration"]["specificity"] == {"share": 0.95, "agreed": 95, "of": 100}
    assert pattern["corrected"]["share"] == pattern["raw"]["share"] == 0.14
    (missing, _), (stale, _) = rates(), rates(older)
    assert (missing["corrected"], missing["problem"]) == (None, "not calibrated")
    assert stale["corrected"] is None
    assert "stale: made for sha256:0, the judge is now sha256:1" in stale["problem"]
