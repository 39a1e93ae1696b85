"""Bad input of a replay: each is refused in a line, or counted with its reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benchmarks.replayed_traffic import START_NS, Traffic
from click.testing import CliRunner
from replayed import EVER, write_policy

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan.replay.report import build_report
from specspan.replay.run import Replay, Window
from specspan.replay.stored_calls import StoredCalls
from specspan.sqlite import Reader, SQLiteDecisionExporter
from specspan.sqlite.recorded_calls import StoredCall


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(load_policy(write_policy(tmp_path)), {"hunter2": 0.3})


def write(file: Path, *records: Any) -> None:
    exporter = SQLiteDecisionExporter(file)
    exporter.export(list(records))
    exporter.shutdown()


def test_half_a_store_says_what_it_lacks(tmp_path: Path, traffic: Traffic) -> None:
    """Decisions without their policy's record are left out, and counted; without spans they have no content."""
    calls = [each.record for each in traffic.calls(6)]
    write(tmp_path / "half.db", *calls)
    with Reader(tmp_path / "half.db") as reader:
        told = Replay(traffic.policy, EVER).run(reader)
    assert dict(told.left_out) == {"missing_policy_record": 6}
    write(tmp_path / "whole.db", traffic.policy_record, *calls)
    replay = Replay(traffic.policy, EVER)
    with Reader(tmp_path / "whole.db") as reader:
        told = replay.run(reader)
    assert (dict(told.left_out), dict(told.missing)) == ({}, {"content_not_recorded": 6})
    report = build_report(replay.differences)
    assert (report.calls, report.equal) == (6, 6)


def test_wrong_clocks_are_counted(tmp_path: Path, traffic: Traffic) -> None:
    """A decision of tomorrow is left out; one whose id tells another time is replayed, and counted."""
    first, second, third = (dict(each.record) for each in traffic.calls(3))
    second["time_unix_nano"] = START_NS + 10**15
    third["time_unix_nano"] = START_NS + 600 * 10**9
    write(tmp_path / "clock.db", traffic.policy_record, first, second, third)
    with Reader(tmp_path / "clock.db") as reader:
        calls = StoredCalls(reader, None, START_NS + 10**14)
        replayed = [each.id for each in calls]
    assert replayed == [first["id"], third["id"]]
    assert (dict(calls.left_out), calls.skewed) == ({"in_future": 1}, 1)


def test_a_damaged_record_is_refused_in_a_line(tmp_path: Path, traffic: Traffic) -> None:
    """No traceback, and no report that leaves it out in silence."""
    write(tmp_path / "broken.db", traffic.policy_record, *(each.record for each in traffic.calls(2)))
    with closing(sqlite3.connect(tmp_path / "broken.db")) as connection:
        connection.execute("UPDATE decision_row SET record = '{' WHERE rowid = 1")
        connection.commit()
    ran = CliRunner().invoke(
        cli, ["replay", "--policy", str(tmp_path / "policy.yaml"), "--db", str(tmp_path / "broken.db")]
    )
    assert ran.exit_code != 0
    assert "invalid JSON record" in f"{ran.output} {ran.exception}"


@pytest.mark.parametrize(
    "change",
    [
        {"findings": ["x"]},
        {"findings": [{"clause": "scope", "outcome": "fine"}]},
        {"findings": [{"clause": "scope", "outcome": ["violated"]}]},
        {"findings": 1},
        {"policy": "x"},
    ],
    ids=str,
)
def test_a_record_of_another_shape_is_left_out_and_counted(
    tmp_path: Path, traffic: Traffic, change: dict[str, Any]
) -> None:
    """The calls beside it are replayed."""
    first, second = (dict(each.record) for each in traffic.calls(2))
    calls = [StoredCall({**first, **change}, traffic.policy_record), StoredCall(second, traffic.policy_record)]
    write(tmp_path / "odd.db", traffic.policy_record)
    with Reader(tmp_path / "odd.db") as reader:
        read = StoredCalls(OddReader(reader, calls), None, EVER.until_unix_nano)  # type: ignore[arg-type]
        assert [each.id for each in read] == [second["id"]]
    assert dict(read.left_out) == {"invalid_record": 1}


@dataclass
class OddReader:
    """Reader of a store that has these calls."""

    reader: Reader
    calls: Sequence[StoredCall]

    def policies(self, digests: Sequence[str]) -> Any:
        return self.reader.policies(digests)

    def recorded_calls(self, since_unix_nano: int | None = None) -> Iterator[StoredCall]:
        return iter(self.calls)


def test_a_window_without_calls_has_no_figures(tmp_path: Path, traffic: Traffic) -> None:
    """Nothing is compared, and every interval is everything."""
    write(tmp_path / "calls.db", traffic.policy_record, *(each.record for each in traffic.calls(2)))
    replay = Replay(traffic.policy, Window(START_NS + 10**15, START_NS + 10**16))
    with Reader(tmp_path / "calls.db") as reader:
        replay.run(reader)
    report = build_report(replay.differences)
    assert (report.calls, report.blocked.compared, report.clauses) == (0, 0, [])
    assert (report.blocked.interval.low, report.blocked.interval.high) == (-1.0, 1.0)
