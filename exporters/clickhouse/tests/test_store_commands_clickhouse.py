"""What the commands say of a database: made, checked, pruned, refused, always without its password."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from benchmarks.stored_traffic import decision_records, policy_records
from click.testing import CliRunner
from clickhouse_server import PASSWORD, ClickHouse
from collector_tables import Collector
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs

import specspan
from specspan.cli.main import cli, main
from specspan.errors import ConfigurationError, StoreError
from specspan.sqlite import Filter
from specspan_exporter_clickhouse import Reader
from specspan_exporter_clickhouse.kind import init_store, open_transactions
from specspan_exporter_clickhouse.pruning import preview_pruning, prune

BAD: dict[str, tuple[Callable[[ClickHouse, str], str], str]] = {
    "unreachable": (lambda server, url: "clickhouse://me:geheim@127.0.0.1:1/db", "Check that the server runs"),
    "wrong password": (lambda server, url: server.url("default", password="geheim"), "Correct user and password"),
    "wrong database": (lambda server, url: server.url("nowhere"), "CREATE DATABASE"),
    "no URL": (lambda server, url: "clickhouse://me:geheim@host/db?nonsense=geheim", "clickhouse://USER"),
    "no tables": (lambda server, url: url, "specspan store init"),
}


def run(*words: str) -> str:
    """Return what a command prints, which must succeed."""
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("words", [("decisions", "list"), ("stats",), ("store", "check")])
def test_a_database_that_cannot_be_used(
    server: ClickHouse, empty_url: str, bad: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """One sentence with a remedy, exit code 2, no password."""
    address, says = BAD[bad][0](server, empty_url), BAD[bad][1]
    monkeypatch.setenv("SPECSPAN_DB", address)
    monkeypatch.setattr("sys.argv", ["specspan", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert (ended.value.code, told.out, says in told.err) == (2, "", True), told.err
    assert "geheim" not in told.err
    assert PASSWORD not in told.err


def test_tables_are_made_once_and_read_what_was_there(empty_url: str) -> None:
    """Without the Collector's tables it says what to do; what the Collector wrote before is read."""
    with pytest.raises(StoreError, match="create_schema: true"):
        init_store(empty_url)
    collector = Collector(empty_url)
    collector.export([*policy_records(), *decision_records(10)])
    assert "Made the tables" in run("store", "init", empty_url, "--keep-days", "10000")
    collector.export(list(decision_records(10)))
    assert "already" in run("store", "upgrade", empty_url)
    told = run("store", "check", empty_url)
    assert told.startswith("10 decisions, ")
    assert "policies are missing" not in told
    with Reader(empty_url) as reader:
        assert [group.calls for group in reader.statistics()] == [10]


@pytest.mark.parametrize("days", [0, -1, 100_000])
def test_an_age_that_does_not_fit_is_refused(empty_url: str, days: int) -> None:
    """A time after 2106 would be one in the past, and remove everything."""
    Collector(empty_url)
    with pytest.raises(ConfigurationError, match="Give 1 to"):
        init_store(empty_url, days)


@pytest.mark.parametrize("form", ["map"])
def test_logs_that_are_no_decisions(url: str, collector: Collector) -> None:
    """Other people's log records, damaged and unknown ones stay in the Collector's table, and break nothing."""
    bodies = (
        *("", "{", "[]", "null", '{"type":"decision"}', '{"type":"decision","v":9,"id":"x"}', "ü" * 99),
        *('{"type":"decision","v":2,"id":7}', '{"type":"decision","v":2,"id":"o","findings":7}'),
        *('{"type":"decision","v":2,"id":"odd","outcomes":[]}', '{"type":"finding","v":2,"decision":"d"}'),
        *('{"type":"policy","v":2,"id":"p","assessments":{}}'),
    )
    records = [LogRecord(body=AnyValue(string_value=body)) for body in bodies]
    logs = ResourceLogs(scope_logs=[ScopeLogs(log_records=records)])
    collector.write_logs(ExportLogsServiceRequest(resource_logs=[logs]))
    with Reader(url) as reader:
        assert [record["id"] for record in reader.decisions()] == ["odd"]
        assert reader.clause_counts() == []
        assert reader.other_records("decision") == []


@pytest.mark.parametrize("form", ["map"])
def test_quotes_in_what_is_asked(url: str, collector: Collector) -> None:
    """Values are bound, whatever is in them."""
    odd = "it's \\ \" `odd`\n{x:String} ü"
    collector.export(
        [
            {
                "v": 2, "type": "decision", "id": odd, "time_unix_nano": 5, "verdict": odd, "service": {"name": odd},
                "findings": [{"clause": odd, "outcome": "violated"}],
            }
        ]
    )  # fmt: skip
    with Reader(url) as reader:
        wanted = Filter(clause=odd, outcome="violated", verdict=odd, service=odd)
        assert [record["id"] for record in reader.decisions(wanted)] == [odd]
        assert reader.decision(odd)["verdict"] == odd
        assert reader.clauses() == reader.services() == [odd]


@pytest.mark.parametrize("form", ["map"])
def test_pruning(url: str, collector: Collector) -> None:
    """What is older goes, with what it was on record; a dry run changes nothing."""
    records = list(decision_records(20))
    collector.export([*policy_records(), *records])
    middle = str(records[10]["time_unix_nano"])
    with Reader(url) as reader:
        before = len(list(reader.iter_decisions()))
        kept = len(list(reader.iter_decisions(int(middle))))
    assert preview_pruning(url, int(middle), "me").removed["decision"] == before - kept
    assert prune(url, int(middle), "me").removed["decision"] == before - kept
    with Reader(url) as reader:
        assert len(list(reader.iter_decisions())) == kept
        assert sum(hour.decisions for hour in reader.decision_hours()) == kept
        assert [record["by"] for record in reader.prunings()] == ["me"]


@pytest.mark.parametrize("form", ["map"])
def test_what_clickhouse_is_not_for(url: str) -> None:
    """An application is sent to its Collector; reviews and approvals are kept elsewhere."""
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        specspan.configure(db=url)
    with pytest.raises(StoreError, match="SQLite or PostgreSQL"):
        open_transactions(url).write(lambda statements: None)
    assert json.loads(run("decisions", "list", "--db", url, "--json")) == []
