"""Cases of rules, as promtool evaluates them: what is counted, and which alerts fire when."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from backends import program

FAST, SLOW = "SpecspanObjectiveBurnsFast", "SpecspanObjectiveBurns"
CRITICAL = "SpecspanCriticalViolation"
ABSENT, GONE = "SpecspanAbsent", "SpecspanServiceGone"


def findings(outcome: str, clause: str = "stay_polite", **labels: str) -> str:
    """The counter of a clause's findings."""
    given = {"job": "desk", "instance": "a", "specspan_spec_version": "2026-11", **labels}
    given |= {"specspan_finding_clause": clause, "specspan_finding_outcome": outcome}
    return series("specspan_findings_total", **given)


def series(metric: str, **labels: str) -> str:
    """A series as promtool reads it."""
    return metric + "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


def decisions(verdict: str) -> str:
    """The counter of decisions."""
    return series("specspan_decisions_total", job="desk", specspan_decision_verdict=verdict)


def overrides(ruling: str) -> str:
    """The counter of overrides."""
    labels = {"specspan_override_clause": "guard_numbers", "specspan_override_level": "user"}
    return series("specspan_overrides_total", job="desk", **labels, specspan_override_ruling=ruling)


def dropped(what: str) -> str:
    """The counter of losses."""
    return series(
        "specspan_dropped_total", job="desk", specspan_dropped_what=what, specspan_dropped_reason="queue_full"
    )


COMPLIED, VIOLATED = findings("complied"), findings("violated")
GUARDED = findings("violated", "guard_numbers")
STALE = series("specspan_policy_stale", job="desk")
CALM = {COMPLIED: "0+100x600", VIOLATED: "0x600"}
"""A hundred calls a minute, all well."""


@dataclass(frozen=True)
class Case:
    """What is counted, one value an ``interval``, and all alerts that fire at a time."""

    name: str
    counted: Mapping[str, str]
    fires: Mapping[str, tuple[str, ...]]
    """By a time, such as ``5m``."""
    interval: str = "1m"


CASES = [
    Case("clean traffic alerts nobody", CALM, {"5m": (), "3h": ()}),
    Case(
        "one violation in 10,000 calls alerts nobody",
        {COMPLIED: "0+100x120", VIOLATED: "0x50 1x70"},
        {"50m": (), "52m": (), "56m": (), "80m": (), "100m": (), "2h": ()},
    ),
    Case(
        "one violation in 10,000 from the first moment alerts nobody",
        {COMPLIED: "0+100x120", VIOLATED: "1x120"},
        {"1m": (), "5m": (), "100m": ()},
    ),
    Case(
        "14.4 × from the start pages within 5 minutes",
        {COMPLIED: "0+9856x60", VIOLATED: "0+144x60"},
        {"5m": (FAST, SLOW)},
    ),
    Case(
        "every call violating after six clean hours pages within 5 minutes",
        {COMPLIED: "0+100x360 36000x10", VIOLATED: "0x360 0+100x10"},
        {"360m": (), "365m": (FAST, SLOW)},
    ),
    Case(
        "14.4 × after clean hours pages when it has lasted an hour, and 2 % of the budget is gone",
        {COMPLIED: "0+10000x360 3600000+9850x70", VIOLATED: "0x360 0+150x70"},
        {"360m": (), "392m": (SLOW,), "423m": (FAST, SLOW)},
    ),
    Case(
        "a page ends when its short window is clean, the ticket later",
        {COMPLIED: "0+100x360 36000x5 36000+100x400", VIOLATED: "0x360 0+100x5 500x400"},
        {"365m": (FAST, SLOW), "400m": (SLOW,), "740m": ()},
    ),
    Case("7 × pages by the six-hour window", {COMPLIED: "0+993x60", VIOLATED: "0+7x60"}, {"35m": (FAST, SLOW)}),
    Case("4 × is a ticket and no page", {COMPLIED: "0+996x400", VIOLATED: "0+4x400"}, {"5m": (SLOW,), "6h": (SLOW,)}),
    Case(
        "1.5 × is a ticket for days",
        {COMPLIED: "0+9985x900", VIOLATED: "0+15x900"},
        {"1d": (SLOW,), "3d": (SLOW,)},
        interval="5m",
    ),
    Case(
        "0.5 × is what the objective allows", {COMPLIED: "0+9995x300", VIOLATED: "0+5x300"}, {"6h": (), "1d": ()}, "5m"
    ),
    Case(
        "few calls an hour: one violation alerts nobody",
        {COMPLIED: "0x19 1x19 2x60", VIOLATED: "0x30 1x70"},
        {"32m": (), "40m": (), "70m": ()},
    ),
    Case(
        "few calls an hour, every one violating: a page at the third",
        {COMPLIED: "0x100", VIOLATED: "0x19 1x19 2x19 3x40"},
        {"25m": (), "45m": (SLOW,), "62m": (FAST, SLOW)},
    ),
    Case(
        "few calls a day: the second violation is a ticket",
        {COMPLIED: "0+1x300", VIOLATED: "0x100 1x50 2x150"},
        {"120m": (), "152m": (SLOW,)},
        interval="1m",
    ),
    Case(
        "few calls an hour and none since: no page goes on",
        {COMPLIED: "0x200", VIOLATED: "0x10 1x10 2x10 3x170"},
        {"33m": (FAST, SLOW), "75m": (SLOW,)},
    ),
    Case("a counter that stands at zero alerts nobody", {COMPLIED: "0x600", VIOLATED: "0x600"}, {"5m": (), "8h": ()}),
    Case("no data at all is told", {}, {"1m": (ABSENT,), "20m": (ABSENT,)}),
    Case(
        "a service that falls silent is told, for a day",
        {COMPLIED: "0+500x6", VIOLATED: "0x6"},
        {"35m": (), "50m": (ABSENT, GONE), "1600m": (ABSENT,)},
        interval="5m",
    ),
    Case(
        "one silent service among others is named alone",
        {**CALM, findings("complied", job="shop"): "0+100x30"},
        {"35m": (), "50m": (GONE,)},
    ),
    Case(
        "a gap in the data is no violation",
        {COMPLIED: "0+100x30 _x20 5000+100x60", VIOLATED: "0x30 _x20 0x60", GUARDED: "7x30 _x20 7x60"},
        {"55m": (), "70m": ()},
    ),
    Case(
        "restarts do not hide a burn",
        {COMPLIED: "0+98x3 0+98x3 0+98x10", VIOLATED: "0+2x3 0+2x3 0+2x10"},
        {"8m": (FAST, SLOW)},
    ),
    Case("restarts are no burn", {COMPLIED: "0+100x30 0+100x60", VIOLATED: "0x30 0x60"}, {"32m": (), "60m": ()}),
    Case(
        "a violation before the first scrape of a new process is seen",
        {**CALM, findings("violated", "guard_numbers", instance="b"): "_x60 1x60"},
        {"59m": (), "61m": (CRITICAL,), "75m": ()},
    ),
    Case(
        "a burn in counters that appear is seen",
        {COMPLIED: "0+100x100", findings("violated", instance="b"): "_x60 500x40"},
        {"59m": (), "61m": (FAST, SLOW)},
    ),
    Case(
        "one violation of a critical clause pages, and ends",
        {**CALM, GUARDED: "0x30 1x90"},
        {"29m": (), "32m": (CRITICAL,), "45m": ()},
    ),
    Case(
        "a critical violation shows after a restart, too",
        {**CALM, GUARDED: "3x30 0x10 1x90"},
        {"29m": (), "35m": (), "42m": (CRITICAL,)},
    ),
    Case(
        "services are judged apart",
        {**CALM, findings("complied", job="shop"): "0+50x600", findings("violated", job="shop"): "0+50x600"},
        {"10m": (FAST, SLOW)},
    ),
    Case(
        "instances of one service are judged together",
        {**CALM, findings("complied", instance="b"): "0+99x60", findings("violated", instance="b"): "0+0.1x60"},
        {"50m": ()},
    ),
    Case(
        "a burn goes on across a change of the spec's version",
        {
            COMPLIED: "0+100x10",
            VIOLATED: "0+3x10",
            findings("complied", specspan_spec_version="2027-01"): "_x10 0+100x20",
            findings("violated", specspan_spec_version="2027-01"): "_x10 0+3x20",
        },
        {"9m": (FAST, SLOW), "20m": (FAST, SLOW)},
    ),
    Case(
        "a clause without objective alerts nobody",
        {**CALM, findings("violated", "be_brief"): "0+50x60"},
        {"10m": ()},
    ),
    Case(
        "uncertain and unassessed are not violated",
        {**CALM, findings("uncertain"): "0+50x60", findings("unassessed"): "0+50x60"},
        {"10m": ()},
    ),
    Case(
        "failing checks are a ticket",
        {**CALM, findings("error"): "0+20x60"},
        {"10m": ("SpecspanChecksFailing",)},
    ),
    Case("one failed check alerts nobody", {COMPLIED: "0x60", findings("error"): "0x5 1x60"}, {"10m": (), "30m": ()}),
    Case(
        "a refused override is told at its first appearance, a granted one is not",
        {**CALM, overrides("granted"): "0+1x60", overrides("refused"): "_x30 1x30"},
        {"29m": (), "31m": ("SpecspanOverrideRefused",), "50m": ()},
    ),
    Case(
        "lost records are told at their first appearance, an event left out of a span is not",
        {**CALM, dropped("finding_event"): "0+1x60", dropped("decision"): "_x30 2x30"},
        {"29m": (), "31m": ("SpecspanRecordsDropped",), "50m": ()},
    ),
    Case(
        "a stale policy is told after five minutes",
        {**CALM, STALE: "0x10 1x20 0x20"},
        {"10m": (), "14m": (), "17m": ("SpecspanPolicyStale",), "35m": ()},
    ),
    Case(
        "many unassessed calls are a ticket",
        {**CALM, decisions("complied"): "0+1x60", decisions("unassessed"): "0+2x60"},
        {"10m": (), "30m": ("SpecspanUnassessed",)},
    ),
    Case(
        "a few unassessed calls are none",
        {**CALM, decisions("complied"): "0x60", decisions("unassessed"): "0x5 3x60"},
        {"30m": ()},
    ),
    Case(
        "calls on which no check says anything page",
        {findings("unassessed"): "0+5x100", decisions("error"): "0+5x100"},
        {"10m": (), "30m": ("SpecspanChecksSilent",)},
    ),
    Case(
        "no calls at night are no silence of the checks",
        {findings("complied"): "0+5x60 300x300", decisions("complied"): "0+5x60 300x300"},
        {"30m": (), "180m": (), "300m": ()},
    ),
]


def tried(rules: Path, test: dict[str, Any], interval: str = "1m") -> subprocess.CompletedProcess[str]:
    """What promtool says of one test."""
    path = rules.with_name("test.yaml")
    groups = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
    whole = {
        "rule_files": [rules.name],
        "evaluation_interval": interval,
        # groups run side by side; what one records, another would see now or an interval later, as it happens
        "group_eval_order": [group["name"] for group in groups],
        "tests": [{"interval": interval, **test}],
    }
    path.write_text(yaml.safe_dump(whole, allow_unicode=True, width=10_000), encoding="utf-8")
    return subprocess.run(
        [program("promtool", "prometheus"), "test", "rules", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def expected(case: Case) -> list[dict[str, Any]]:
    """The alerts that fire at each time, as promtool takes them: these and no other."""
    return [
        {
            "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
            "eval_time": time,
            "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names],
        }
        for time, names in case.fires.items()
    ]


def inputs(counted: Mapping[str, str]) -> list[dict[str, str]]:
    """Series as promtool takes them."""
    return [{"series": name, "values": values} for name, values in counted.items()]
