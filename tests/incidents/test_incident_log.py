"""Incidents go from open to closed in either kind of store, and every change of them stays on record."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from specspan.errors import OversightRefused
from specspan.incidents.incident import IncidentState
from specspan.incidents.incident_log import IncidentLog, OpenedIncident
from specspan.stores.people import Person, Role

ANA, BEN, VIEWER = Person("ana"), Person("ben"), Person("vera", Role.VIEWER)


@pytest.fixture
def log(db: str) -> Iterator[IncidentLog]:
    """Return the incidents of a store of each kind."""
    opened = IncidentLog(db)
    yield opened
    opened.close()


def open_one(log: IncidentLog, alert_key: str | None = None, clause: str = "be_kind") -> OpenedIncident:
    """Open an incident of an hour, compared with the day before."""
    return log.open(clause, by=ANA, since_unix_nano=90_000, baseline_unix_nano=10, alert_key=alert_key)


def test_its_way_is_on_record(log: IncidentLog) -> None:
    """Opened, noted, mitigated, closed: each change with who and what."""
    incident = open_one(log).incident
    log.note(incident.id, BEN, "the shop is slow, too")
    assert log.mitigate(incident.id, BEN, "blocked").state is IncidentState.MITIGATED
    ended = log.end(incident.id, ANA, "rolled back")
    assert (ended.state, ended.changes, ended.ended_unix_nano is not None) == (IncidentState.CLOSED, 4, True)
    told = [(event.number, event.kind, event.person, event.detail.get("text")) for event in log.history(incident.id)]
    assert told == [
        (1, "incident_opened", "ana", None),
        (2, "incident_noted", "ben", "the shop is slow, too"),
        (3, "incident_mitigated", "ben", "blocked"),
        (4, "incident_closed", "ana", "rolled back"),
    ]
    assert log.incident(incident.id) == ended
    assert log.note(incident.id, ANA, "looked at again").state is IncidentState.CLOSED


def test_lists_filter(log: IncidentLog) -> None:
    """By state and by clause; the one opened last is the first."""
    first, second = open_one(log).incident, open_one(log, clause="be_brief").incident
    log.end(first.id, ANA, "nothing to it")
    assert {each.id for each in log.list()} == {first.id, second.id}
    assert [each.id for each in log.list(state=IncidentState.OPEN)] == [second.id]
    assert [each.id for each in log.list(clause="be_kind")] == [first.id]
    assert log.ids(first.id[:8]) == [first.id]


def test_a_group_of_alerts_opens_one(log: IncidentLog) -> None:
    """Repeats get the one that is open; once it is closed, the group opens another."""
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: open_one(log, "group"), range(8)))
    assert len({each.incident.id for each in opened}) == 1
    assert [each.is_new for each in opened].count(True) == 1
    log.end(opened[0].incident.id, ANA, "rolled back")
    again = open_one(log, "group")
    assert again.is_new
    assert again.incident.id != opened[0].incident.id
    assert log.incident(opened[0].incident.id).alert_key is None


@pytest.mark.parametrize(
    ("code", "act"),
    [
        ("unknown_incident", lambda log, _: log.note("nobody", ANA, "x")),
        ("no_reason", lambda log, incident: log.end(incident, ANA, " ")),
        ("role", lambda log, incident: log.note(incident, VIEWER, "x")),
        ("closed", lambda log, incident: (log.end(incident, ANA, "done"), log.mitigate(incident, ANA, "late"))),
    ],
)
def test_what_is_refused_changes_nothing(log: IncidentLog, code: str, act: object) -> None:
    """With a code, and a sentence that says what to do."""
    incident = open_one(log).incident
    with pytest.raises(OversightRefused) as refused:
        act(log, incident.id)  # type: ignore[operator]
    assert refused.value.code == code
    assert refused.value.remedy
    assert log.incident(incident.id).state is (IncidentState.CLOSED if code == "closed" else IncidentState.OPEN)


def test_an_empty_store_has_none(log: IncidentLog) -> None:
    """Nothing is made by looking."""
    assert (log.list(), log.ids("a"), log.history("a")) == ([], [], [])
    with pytest.raises(OversightRefused, match="no incident"):
        log.incident("a")
