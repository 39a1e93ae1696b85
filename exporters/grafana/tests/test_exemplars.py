"""The points on the violations of a page: exemplars, handed on by a real Collector and a real Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import eventually, free_port, program
from collector_server import collector, shipped
from desk import Traffic
from grafana_asked import Asked, answer, asked, put_in
from grafana_desk import APPLICATION, written_policy
from prometheus_server import Prometheus, prometheus, speaking

from specspan.policy.load import load_policy
from specspan_exporter_grafana import dashboards_of

CONFIGURATION = Path(__file__).resolve().parents[2] / "prometheus/collector.yaml"
PATIENCE_S = 20.0
WINDOW = {"service": ".*", "__interval": "120s"}


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Prometheus, Traffic]]:
    """Prometheus, when it has what a service pushed to a Collector."""
    program("prometheus")  # skip before anything starts
    folder = tmp_path_factory.mktemp("pushed")
    configuration = shipped(CONFIGURATION)
    exposed = configuration["exporters"]["prometheus"]["endpoint"] = f"127.0.0.1:{free_port()}"
    scrape = {"job_name": "collector", "honor_labels": True, "static_configs": [{"targets": [exposed]}]}
    scraped = {"global": {"scrape_interval": "200ms"}, "scrape_configs": [scrape]}
    policy, db = written_policy(folder), folder / "specspan.db"
    with (
        collector(configuration, folder) as otlp,
        prometheus(folder, scraped, "--enable-feature=exemplar-storage") as server,
        speaking(
            [APPLICATION, policy, "desk"], OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=f"{otlp}/v1/metrics", SPECSPAN_DB=str(db)
        ),
    ):
        eventually(lambda: server.exemplars("specspan_findings_total", time.time() - 3600), PATIENCE_S, "exemplars")
        yield server, Traffic("desk", db, {})


def with_exemplars(policy_file: Path) -> list[Asked]:
    """The queries that ask for them."""
    return [each for each in asked(dashboards_of(load_policy(policy_file))) if each.query.get("exemplar")]


def test_points_on_a_page_lead_to_what_it_shows(pushed: tuple[Prometheus, Traffic], policy_file: Path) -> None:
    """Each names a trace in which SQLite has such a finding about the clause of its series."""
    server, traffic = pushed
    queries = with_exemplars(policy_file)
    assert queries
    for each in queries:
        told = server.exemplars(put_in(each.query["expr"], WINDOW), time.time() - 3600)
        assert told, str(each)
        for series in told:
            clause, outcome = (series["seriesLabels"][f"specspan_finding_{name}"] for name in ("clause", "outcome"))
            found = traffic.sqlite_says("clause = ? AND outcome = ?", clause, outcome)
            assert {point["labels"]["trace_id"] for point in series["exemplars"]} <= found


def test_what_is_pushed_has_the_names_that_pages_ask_for(pushed: tuple[Prometheus, Traffic], policy_file: Path) -> None:
    """The overview shows the service by its name, by whichever way its metrics came."""
    server, traffic = pushed
    page = {"": dashboards_of(load_policy(policy_file))["specspan-overview.json"]}
    (violations,) = [each for each in asked(page, "prometheus") if each.panel == "Violations"]
    rows = answer(server, violations, {"service": traffic.service})
    assert {row["metric"]["job"] for row in rows} == {traffic.service}
