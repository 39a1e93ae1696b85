"""Every search for traces that a page makes, asked of a real Tempo and a real Jaeger: what SQLite holds is found."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from backends import eventually, program
from desk import Traffic
from grafana_asked import asked, put_in
from grafana_desk import CLAUSES, NEW, calls_under_both, page_of
from jaeger_server import Jaeger, jaeger_in
from tempo_server import Tempo, tempo_in

from specspan.policy.load import load_policy
from specspan_exporter_grafana import dashboards_of

PATIENCE_S = 20.0
UNDER_NEW = f"json_extract(record, '$.spec[0].version') = '{NEW}'"
WHAT_SQLITE_IS_ASKED = {
    "specspan-overview.json": "verdict = 'violated'",
    "specspan-versions.json": f"verdict = 'violated' AND {UNDER_NEW}",
    "specspan-checks.json": "verdict = 'error'",
    **{page_of(each): f"clause = '{each}' AND outcome = 'violated'" for each in CLAUSES},
}
"""The condition that says the same as a page's search."""


@pytest.fixture(scope="module")
def tempo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Tempo, Traffic]]:
    """Tempo, when all calls of a service have arrived."""
    folder = tmp_path_factory.mktemp("tempo")
    with tempo_in(folder) as running:
        traffic = calls_under_both(folder, f"{running.otlp}/v1/traces")
        everything = f'{{ resource.service.name = "{traffic.service}" }}'
        eventually(lambda: running.search(everything) == traffic.sqlite_says("1"), PATIENCE_S, "all traces in Tempo")
        yield running, traffic


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Jaeger, Traffic]]:
    """Jaeger, likewise."""
    folder = tmp_path_factory.mktemp("jaeger")
    with jaeger_in(folder) as running:
        traffic = calls_under_both(folder, f"{running.otlp}/v1/traces")
        everything = traffic.sqlite_says("1")
        eventually(lambda: running.search(traffic.service) == everything, PATIENCE_S, "all traces in Jaeger")
        yield running, traffic


def searches(policy_file: Path, page: str, source: str) -> list[dict[str, str]]:
    """The searches of a page."""
    made = dashboards_of(load_policy(policy_file), logs=True)
    return [dict(each.query) for each in asked({page: made[page]}, source)]


@pytest.mark.parametrize("page", WHAT_SQLITE_IS_ASKED)
def test_tempo_finds_what_a_page_shows(tempo: tuple[Tempo, Traffic], policy_file: Path, page: str) -> None:
    """Exactly the traces of which SQLite says the same, and there are some, with one service, several and all."""
    running, traffic = tempo
    (search,) = searches(policy_file, page, "tempo")
    for service in (traffic.service, f"calm|{traffic.service}", ".*"):
        found = running.search(put_in(search["query"], {"service": service, "new": NEW}))
        assert found == traffic.sqlite_says(WHAT_SQLITE_IS_ASKED[page])
        assert found


@pytest.mark.parametrize("page", WHAT_SQLITE_IS_ASKED)
def test_jaeger_finds_what_a_page_shows(jaeger: tuple[Jaeger, Traffic], policy_file: Path, page: str) -> None:
    """The same of Jaeger's tags, which Grafana reads as logfmt."""
    running, traffic = jaeger
    (search,) = searches(policy_file, page, "jaeger")
    tags = dict(tag.split("=", 1) for tag in shlex.split(put_in(search["tags"], {"new": NEW})))
    found = running.search(put_in(search["service"], {"service": traffic.service}), **tags)
    assert found == traffic.sqlite_says(WHAT_SQLITE_IS_ASKED[page])
    assert found


def test_every_page_is_searched_from(policy_file: Path) -> None:
    """The pages compared are all there are."""
    assert set(WHAT_SQLITE_IS_ASKED) == set(dashboards_of(load_policy(policy_file)))


def errors(*queries: tuple[str, str]) -> list[list[int]]:
    """Where queries do not fit the grammar of their language."""
    command = [program("query-errors", "grafana-grammars")]
    done = subprocess.run(command, input=json.dumps(queries), capture_output=True, text=True, timeout=60, check=True)
    found: list[list[int]] = json.loads(done.stdout)
    return found


def test_searches_fit_grafanas_grammars(policy_file: Path) -> None:
    """TraceQL and LogQL of every page are what Grafana's parsers take, a clause whose id is no plain name included."""
    made = dashboards_of(load_policy(policy_file), logs=True)
    queries = [("traceql", each.query["query"]) for each in asked(made, "tempo")]
    queries += [("logql", each.query["expr"]) for each in asked(made, "loki")]
    assert any('span."specspan.clause.be:brief-1.a"' in query for _, query in queries)
    assert errors(*queries) == [[]] * len(queries)
    assert all(errors(*((language, query.replace("=", "=,")) for language, query in queries)))
