"""Whoever records the decisions of a process is told of what waits for an approval, without its content."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from unconfigured import unconfigured

import specspan
from specspan._support import drop_counts
from specspan.stores.people import Person, Role


class Kept:
    """Exporter that keeps its records."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Keep them."""
        self.records.extend(records)

    def shutdown(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path):
        yield


def test_exporters_are_told_of_what_waits() -> None:
    """The notice names what waits, where and until when; arguments and reason are not in it."""
    kept = Kept()
    specspan.configure(decision_exporters=[kept], db="own.db")
    way = specspan.approval(timeout_s=60)
    pending = way.request("refund", {"iban": "DE02"}, key="job-1", clause="check_first", reason="the iban is DE02")
    way.request("refund", {"iban": "DE02"}, key="job-1", clause="check_first")  # asked again, after a restart
    pending.settle(Person("apa", Role.APPROVER), is_approved=True)
    way.request("refund", {"iban": "DE02"}, key="job-1", clause="check_first")  # nothing waits any more
    assert specspan.force_flush(10)
    told = [record for record in kept.records if record["type"] == "approval"]
    assert [record["id"] for record in told] == [pending.id] * 2
    assert (told[0]["kind"], told[0]["name"], told[0]["clause"]) == ("tool", "refund", "check_first")
    assert told[0]["expires_unix_nano"] == pending.request.expires_unix_nano
    assert "DE02" not in json.dumps(told)


def test_the_store_keeps_approvals_alone() -> None:
    """It has a row of each that says more than the notice; nothing is lost by that."""
    before = drop_counts.totals()
    specspan.configure(db="own.db")
    specspan.approval(timeout_s=60).request("refund", {})
    assert specspan.force_flush(10)
    with closing(sqlite3.connect("own.db")) as connection:
        assert connection.execute("SELECT count(*) FROM approval").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM record").fetchone() == (0,)
    assert drop_counts.totals() == before
