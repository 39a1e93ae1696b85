"""Decided calls in the real Jaeger, found as the README says, and equal to what SQLite holds of the same traffic."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from backends import eventually, fetch, program
from desk import CLAUSE, PATIENCE_S, Traffic, as_stored, told
from jaeger_server import Jaeger

from specspan.sqlite import Reader


@pytest.mark.parametrize("clause", [CLAUSE, "keep_secrets", "be_kind"])
def test_a_clause_is_found_by_its_outcome(jaeger: Jaeger, traffic: Traffic, clause: str) -> None:
    """`specspan.clause.<id>=violated` finds exactly the traces in which SQLite has such a finding."""
    found = jaeger.search(traffic.service, **{f"specspan.clause.{clause}": "violated"})
    assert found == traffic.sqlite_says("clause = ? AND outcome = 'violated'", clause)
    assert 0 < len(found) < len(traffic.traces)


@pytest.mark.parametrize("verdict", ["violated", "complied"])
def test_a_verdict_is_found(jaeger: Jaeger, traffic: Traffic, verdict: str) -> None:
    """`specspan.decision.verdict` finds exactly the traces with such a decision."""
    found = jaeger.search(traffic.service, **{"specspan.decision.verdict": verdict})
    assert found == traffic.sqlite_says("verdict = ?", verdict)
    assert {name for name, trace_id in traffic.traces.items() if trace_id in found} == {
        name for name in traffic.traces if name.startswith("nothing") == (verdict == "complied")
    }


def test_violations_at_an_authority_are_what_sqlite_says(jaeger: Jaeger, traffic: Traffic) -> None:
    """Traces of the last hour in which a clause was violated at root, not those where it stood below one that was."""
    tags = {f"specspan.clause.{CLAUSE}": "violated", "specspan.finding.authority": "root", "specspan.spec.version": "2"}
    found = jaeger.search(traffic.service, **tags)
    assert found == traffic.sqlite_says("clause = ? AND outcome = 'violated' AND finding.authority = 'root'", CLAUSE)
    assert found == {traffic.traces[f"{kind} under 2"] for kind in ("number", "number and secret", "number and name")}


def test_without_the_version_a_tag_may_be_of_another_finding(jaeger: Jaeger, traffic: Traffic) -> None:
    """As the README warns: tags of one span need not be of one finding, so a clause that moved needs the version."""
    tags = {f"specspan.clause.{CLAUSE}": "violated", "specspan.finding.authority": "root"}
    assert traffic.traces["number and secret under 1"] in jaeger.search(traffic.service, **tags)


def test_attributes_events_and_links_arrive_as_sqlite_has_them(jaeger: Jaeger, traffic: Traffic) -> None:
    """Every span of every trace, with all that is on it, its resource included."""
    with Reader(traffic.db) as reader:
        for trace_id in traffic.traces.values():
            stored = {span.span_id: span for span in reader.spans(trace_id)}
            spans = jaeger.spans(trace_id)
            assert {span["spanId"] for span in spans} == set(stored)
            for span in spans:
                assert told(span) == as_stored(stored[span["spanId"]])
    assert any(span["links"] for span in jaeger.spans(traffic.traces["secret under 1"]) if "links" in span)
    assert [event["name"] for span in spans_with_events(jaeger, traffic) for event in span["events"]] == [
        "specspan.finding",
        "specspan.finding",
    ]


def test_spans_are_counted_by_verdict(jaeger: Jaeger, traffic: Traffic) -> None:
    """The span metrics that the configuration makes: how many calls ended how, for Prometheus to scrape."""
    pattern = r'^traces_span_metrics_calls_total\{(.*service_name="%s".*)\} (\d+)$'

    def violated() -> int:
        series = re.findall(pattern % traffic.service, fetch(jaeger.metrics).decode(), re.MULTILINE)
        return sum(int(count) for labels, count in series if 'specspan_decision_verdict="violated"' in labels)

    expected = len(traffic.sqlite_says("verdict = 'violated'"))
    assert eventually(lambda: violated() == expected, PATIENCE_S, "the metrics to be made")


def test_the_page_of_a_trace_shows_the_decision(jaeger: Jaeger, traffic: Traffic, tmp_path: Path) -> None:
    """The link that `specspan traces show` prints leads a browser to the trace, and the page shows its spans."""
    if not (program("jaeger").parents[1] / "ui").is_dir():
        pytest.skip("this Jaeger has no UI files beside it")
    browser = program("chromium")
    page = show(jaeger, traffic, traffic.traces["number and secret under 2"])
    picture = Path(os.environ.get("SPECSPAN_SCREENSHOTS") or tmp_path) / "jaeger-trace.png"
    common = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--window-size=1400,900",
    ]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = [str(browser), *common, profile, "--virtual-time-budget=5000"]
    shown = subprocess.run(
        [*command, "--dump-dom", page], capture_output=True, text=True, timeout=60, check=True
    ).stdout
    subprocess.run([*command, f"--screenshot={picture}", page], capture_output=True, timeout=60, check=True)
    assert "chat parrot-1" in shown
    assert traffic.service in shown
    assert picture.read_bytes().startswith(b"\x89PNG")


def show(jaeger: Jaeger, traffic: Traffic, trace_id: str) -> str:
    """The last line of `specspan traces show`, under the variable that the README sets."""
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    (template,) = re.findall(r"^export SPECSPAN_TRACE_URL='(.*)'$", readme, re.MULTILINE)
    variables = {**os.environ, "SPECSPAN_TRACE_URL": template.replace("http://localhost:16686", jaeger.ui)}
    command = [str(Path(sys.executable).with_name("specspan")), "traces", "show", trace_id, "--db", str(traffic.db)]
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout.splitlines()[-1]


def spans_with_events(jaeger: Jaeger, traffic: Traffic) -> list[dict[str, Any]]:
    return [span for span in jaeger.spans(traffic.traces["number and secret under 2"]) if span.get("events")]
