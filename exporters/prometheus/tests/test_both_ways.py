"""Metrics of one application that come to a real Prometheus both ways: scraped, and over OTLP and a real Collector."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from backends import eventually, free_port, program
from collector_server import collector, shipped
from prometheus_server import Prometheus, Said, prometheus, speaking

from specspan.policy.load import load_policy
from specspan_exporter_prometheus import Pace, rules_of

FOLDER = Path(__file__).resolve().parents[1]
APPLICATION = Path(__file__).with_name("application.py")
PACE = Pace(divisor=200)
PATIENCE_S = 30.0
PUSHES_MILLIS = "500"
"""Longer than between two scrapes, so that none of what is pushed goes unseen."""

SCRAPED, PUSHED = "support-desk", "pushed"
"""The jobs: the one that the configuration names, and the name of the service."""
OF_THE_WAY = {"job", "instance"}
"""Labels that say by which way a series came."""

Series = dict[frozenset[tuple[str, str]], float]
"""Values by the name and labels of their series."""
Watched = tuple[Said, Prometheus, Path]


@contextmanager
def watched(policy_file: Path, **variables: str) -> Iterator[Watched]:
    """The application under the configurations of this folder, but for ports and intervals; its traces in a file."""
    program("prometheus")  # skip before anything starts
    folder, db = policy_file.parent, policy_file.parent / "specspan.db"
    scraped, exposed = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    of_collector = shipped(FOLDER / "collector.yaml")
    of_collector["exporters"]["prometheus"]["endpoint"] = exposed
    of_prometheus = shipped(FOLDER / "prometheus.yaml")
    of_prometheus["global"] = {"scrape_interval": "200ms", "evaluation_interval": "200ms"}
    for scrape, target in zip(of_prometheus["scrape_configs"], (scraped, exposed), strict=True):
        scrape["static_configs"] = [{"targets": [target]}]
    (folder / "specspan.rules.yaml").write_text(rules_of(load_policy(policy_file), pace=PACE).text, encoding="utf-8")
    with collector(of_collector, folder) as otlp:
        given = {
            "OTEL_SERVICE_NAME": PUSHED,
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{otlp}/v1/metrics",
            "OTEL_METRIC_EXPORT_INTERVAL": PUSHES_MILLIS,
            "SPECSPAN_DB": str(db),
        }
        with (
            speaking([APPLICATION, policy_file, scraped.rpartition(":")[2]], **given, **variables) as say,
            prometheus(folder, of_prometheus, "--enable-feature=exemplar-storage") as server,
        ):
            eventually(lambda: series(server, SCRAPED), PATIENCE_S, "what is scraped")
            eventually(lambda: series(server, PUSHED), PATIENCE_S, "what is pushed")
            yield say, server, db


def series(server: Prometheus, job: str) -> Series:
    """Every series of ours and of the GenAI conventions."""
    found: Series = {}
    for each in server.query(f'{{__name__=~"(specspan|gen_ai)_.+",job="{job}"}}'):
        labels = frozenset((name, text) for name, text in each["metric"].items() if name not in OF_THE_WAY)
        found[labels] = float(each["value"][1])
    return found


def alike(some: Series, others: Series) -> bool:
    """The same series with the same values, but for the order in which seconds were added up."""
    return bool(some == pytest.approx(others))


def rows(server: Prometheus, job: str, records: list[str]) -> dict[str, set[str]]:
    """The clauses of which there is a row, by the rule that recorded it."""
    found = {name: server.query(f'{name}{{job="{job}"}}') for name in records}
    return {name: {row["metric"]["specspan_finding_clause"] for row in each} for name, each in found.items()}


def test_series_and_rules_are_the_same_either_way(policy_file: Path) -> None:
    """The same names, units, suffixes, labels and values, so that the same rules give the same rows."""
    with watched(policy_file) as (say, server, _):
        say("You are stupid, and the number is 1234.")
        records = [rule["record"] for rule in rules(policy_file) if "record" in rule]
        violated = {"guard_numbers", "stay_polite"}
        wanted = {name: violated | {"be_brief"} if "assessed" in name else violated for name in records}
        eventually(lambda: rows(server, SCRAPED, records) == wanted, PATIENCE_S, "rows of what is scraped")
        eventually(lambda: rows(server, PUSHED, records) == wanted, PATIENCE_S, "rows of what is pushed")
        say("")
        eventually(lambda: alike(series(server, SCRAPED), series(server, PUSHED)), PATIENCE_S, "both to tell the same")
        assert {dict(each)["__name__"] for each in series(server, PUSHED)} >= {
            "specspan_findings_total",
            "specspan_decisions_total",
            "specspan_check_duration_seconds_bucket",
            "gen_ai_client_operation_duration_seconds_bucket",
        }


@pytest.mark.parametrize("sampled", [True, False])
def test_exemplars_lead_to_traces_that_are_kept(policy_file: Path, sampled: bool) -> None:
    """Over OTLP, the exemplar of a clause's violations names a trace in which it was, sampled or kept besides."""
    begun_s = time.time()
    with watched(policy_file, **({} if sampled else {"SPECSPAN_SAMPLING_RATIO": "0"})) as (say, server, db):
        say("You are stupid.")

        def exemplars(job: str) -> list[dict[str, Any]]:
            violations = f'specspan_findings_total{{specspan_finding_outcome="violated",job="{job}"}}'
            return server.exemplars(violations, begun_s)

        eventually(lambda: exemplars(PUSHED), PATIENCE_S, "an exemplar")
        say("")
        told = exemplars(PUSHED)
        assert not exemplars(SCRAPED), "the docs say that a scrape carries none"
    (of_clause,) = told
    assert of_clause["seriesLabels"]["specspan_finding_clause"] == "stay_polite"
    named = {each["labels"]["trace_id"] for each in of_clause["exemplars"]}
    assert named <= traces_kept(db)
    assert named <= traces_violating(db, "stay_polite")


def rules(policy_file: Path) -> list[dict[str, Any]]:
    """What Prometheus was given."""
    groups = yaml.safe_load((policy_file.parent / "specspan.rules.yaml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def traces_kept(db: Path) -> set[str]:
    """Those of which there are spans."""
    with closing(sqlite3.connect(db)) as connection:
        return {trace_id for (trace_id,) in connection.execute("SELECT trace_id FROM span")}


def traces_violating(db: Path, clause: str) -> set[str]:
    """Those in which a decision found a clause violated."""
    asked = """SELECT trace_id FROM decision JOIN finding ON decision.id = decision_id
        WHERE clause = ? AND outcome = 'violated'"""
    with closing(sqlite3.connect(db)) as connection:
        return {trace_id for (trace_id,) in connection.execute(asked, (clause,))}
