"""Decided calls in the real Tempo, found by the README's TraceQL, and equal to what SQLite holds of the traffic."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from desk import CLAUSE, Traffic, as_stored, told
from tempo_server import Tempo

from specspan.sqlite import Reader

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
TWO_HOURS_S = 7_200

VIOLATED = "clause = 'keep_numbers_private' AND outcome = 'violated'"
BY_VERDICT = "verdict = 'violated'"
WHAT_SQLITE_IS_ASKED = {
    '{ span.specspan.clause.protect_privacy = "violated" }': VIOLATED,
    '{ span.specspan.decision.verdict = "violated" }': BY_VERDICT,
    '{ span.specspan.decision.verdict = "violated" } | by(span.specspan.decision.governing_clause)': BY_VERDICT,
    '{ span.specspan.decision.would = "block" }': "would = 'block'",
    '{ span.specspan.decision.verdict = "violated" && span.specspan.spec.version = "2025-12-18" }': (
        "verdict = 'violated' AND json_extract(record, '$.spec[0].version') = '2'"
    ),
    '{ resource.service.name = "gateway" } >> { span.specspan.decision.verdict = "violated" }': BY_VERDICT,
}
"""The condition that says the same, by the query of the README."""


def of_traffic(documented: str, traffic: Traffic) -> str:
    """A query of the README, about the clause, the spec and the service of the traffic."""
    renamed = documented.replace("protect_privacy", CLAUSE).replace("2025-12-18", "2")
    return renamed.replace("gateway", traffic.service)


def at_root() -> str:
    """The query of the README for a clause at a level of authority."""
    (query,) = re.findall(r"^(\{ .*event\.specspan\.finding\.authority.* \})$", README, re.MULTILINE)
    return str(query)


def test_the_searches_compared_are_those_of_the_readme() -> None:
    """None is left out, and none was changed on one side alone."""
    documented = re.findall(r"^\|.*\| `(\{.*)` \|$", README, re.MULTILINE)
    assert [query.replace(r"\|", "|") for query in documented] == list(WHAT_SQLITE_IS_ASKED)


@pytest.mark.parametrize("documented", WHAT_SQLITE_IS_ASKED)
def test_a_search_finds_what_sqlite_holds(tempo: Tempo, traffic: Traffic, documented: str) -> None:
    """Exactly the traces of which SQLite says the same, and there are some."""
    found = tempo.search(of_traffic(documented, traffic))
    assert found == traffic.sqlite_says(WHAT_SQLITE_IS_ASKED[documented])
    assert found


@pytest.mark.parametrize("clause", [CLAUSE, "keep_secrets", "be_kind"])
def test_a_clause_is_found_in_the_list_of_those_violated(tempo: Tempo, traffic: Traffic, clause: str) -> None:
    """As the README says of lists: one equal element is enough."""
    found = tempo.search(f'{{ span.specspan.clauses.violated = "{clause}" }}')
    assert found == traffic.sqlite_says("clause = ? AND outcome = 'violated'", clause)
    assert 0 < len(found) < len(traffic.traces)


def test_violations_at_an_authority_are_what_sqlite_says(tempo: Tempo, traffic: Traffic) -> None:
    """Traces of the last hour in which a clause was violated at root, not those where it stood below one that was."""
    found = tempo.search(of_traffic(at_root(), traffic))
    assert found == traffic.sqlite_says(f"{VIOLATED} AND finding.authority = 'root'")
    assert found == {traffic.traces[f"{kind} under 2"] for kind in ("number", "number and secret", "number and name")}


def test_without_the_version_an_event_may_be_of_another_finding(tempo: Tempo, traffic: Traffic) -> None:
    """As the README warns: a clause that moved needs the version."""
    without, *_ = of_traffic(at_root(), traffic).rpartition(" && ")
    assert traffic.traces["number and secret under 1"] in tempo.search(without + " }")


def test_what_was_before_the_last_hour_is_left_out(tempo: Tempo, traffic: Traffic) -> None:
    """A trace that ended earlier is found only where more is asked for."""
    query = f'{{ resource.service.name = "{traffic.service}" && name = "long ago" }}'
    assert not tempo.search(query)
    assert tempo.search(query, TWO_HOURS_S)


def test_attributes_events_and_links_arrive_as_sqlite_has_them(tempo: Tempo, traffic: Traffic) -> None:
    """Every span of every trace, with all that is on it, its resource included."""
    with Reader(traffic.db) as reader:
        for trace_id in traffic.traces.values():
            stored = {span.span_id: as_stored(span) for span in reader.spans(trace_id)}
            assert {span["spanId"]: told(span) for span in tempo.spans(trace_id)} == stored
    assert any(span["links"] for span in tempo.spans(traffic.traces["secret under 1"]))
    spans = tempo.spans(traffic.traces["number and secret under 2"])
    names = [event["name"] for span in spans for event in span.get("events", [])]
    assert names == ["specspan.finding", "specspan.finding"]
