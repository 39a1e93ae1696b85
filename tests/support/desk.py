"""What an application did whose spans are in a backend, and what SQLite says of it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends import eventually

APPLICATION = Path(__file__).with_name("desk_application.py")
CLAUSE = "keep_numbers_private"
"""The clause that moved between the versions of the application's spec: the developer's first, then root's."""
HOUR_NS = 3_600 * 10**9
PATIENCE_S = 15.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an application did, and where it is written down besides."""

    service: str
    db: Path
    traces: dict[str, str]
    """Ids of traces by what was done in them."""

    def sqlite_says(self, condition: str, *values: str) -> set[str]:
        """Traces of the last hour that have a decision with such a finding."""
        asked = f"""SELECT DISTINCT trace_id FROM finding JOIN decision ON decision.id = decision_id
            WHERE decision.time_unix_nano >= ? AND {condition}"""
        with closing(sqlite3.connect(self.db)) as connection:
            return {trace_id for (trace_id,) in connection.execute(asked, (time.time_ns() - HOUR_NS, *values))}


def make_traffic(service: str, traces_endpoint: str, folder: Path, arrived: Callable[[], set[str]]) -> Traffic:
    """Decided calls of a process under each of two versions of a spec, when all of them have ``arrived``."""
    db = folder / "specspan.db"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "SPECSPAN_"))}
    variables = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": traces_endpoint,
        "SPECSPAN_DB": str(db),
        "SPECSPAN_RAISE_INTERNAL_ERRORS": "1",
    }
    traces: dict[str, str] = {}
    for version in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, str(APPLICATION), service, version],
            env={**inherited, **variables}, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, ran.stderr
        traces |= json.loads(ran.stdout)
    eventually(lambda: set(traces.values()) <= arrived(), PATIENCE_S, "the spans to arrive")
    return Traffic(service, db, traces)


def told(span: dict[str, Any]) -> dict[str, Any]:
    """A span in the JSON of OTLP, in the form of `as_stored`."""
    return {
        "name": span["name"],
        "parent": span.get("parentSpanId") or None,
        "times": (int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])),
        "attributes": plain(span.get("attributes", [])),
        "events": [
            (each["name"], int(each["timeUnixNano"]), plain(each["attributes"])) for each in span.get("events", [])
        ],
        "links": [(each["traceId"], each["spanId"], plain(each["attributes"])) for each in span.get("links", [])],
        "resource": plain(span["resource"]["attributes"]),
    }


def as_stored(span: Any) -> dict[str, Any]:
    """What SQLite holds of a span."""
    return {
        "name": span.name,
        "parent": span.parent_span_id,
        "times": (span.start_unix_nano, span.end_unix_nano),
        "attributes": span.attributes,
        "events": [(each["name"], each["time_unix_nano"], each["attributes"]) for each in span.events],
        "links": [(each["trace_id"], each["span_id"], each["attributes"]) for each in span.links],
        "resource": span.resource,
    }


def plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Attributes in OTLP's JSON as plain values."""
    return {attribute["key"]: value(attribute["value"]) for attribute in attributes}


def value(written: dict[str, Any]) -> Any:
    """One value; whole numbers are written as strings there."""
    ((kind, content),) = written.items()
    if kind == "arrayValue":
        return [value(each) for each in content.get("values", [])]
    return int(content) if kind == "intValue" else content
