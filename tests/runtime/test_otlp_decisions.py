"""Decision records as OTLP log records: acknowledged, rejected in part, refused, split; over a loopback server."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from time import time
from typing import Any

import pytest
from ledgers import POLICY, decision, find_policy, open_in
from loopback import Answer, Asked, serving
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from specspan._support import drop_counts
from specspan.errors import ConfigurationError
from specspan.runtime import otlp_decisions
from specspan.runtime.otel_providers import DECISIONS, create_exporter
from specspan.runtime.otlp_decisions import OTLPDecisionExporter, Unacknowledged

RECORD = decision(
    1,
    trace_id="ab" * 16,
    span_id="cd" * 8,
    service={"name": "desk", "version": "7", "instance": "i-1"},
    verdict="violated",
    findings=[{"clause": "be_kind", "outcome": "violated"}, {"clause": "be_kind", "outcome": "violated"}],
)


class Receiver:
    """Receiver of log records that answers as it is told to."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.asked: list[Asked] = []
        self.most_records = 10_000

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if len(records_in(asked)) > self.most_records:
            return Answer(413)
        return self.answer

    @property
    def ids(self) -> list[str]:
        """Ids of what came, in order."""
        return [value(record, "log.record.uid") for asked in self.asked for record in records_in(asked)]


def records_in(asked: Asked) -> list[Any]:
    """Return the log records of a request."""
    request = ExportLogsServiceRequest.FromString(gzip.decompress(asked.body))
    return [record for each in request.resource_logs for scope in each.scope_logs for record in scope.log_records]


def value(record: Any, name: str) -> str:
    """Return the text of an attribute."""
    (found,) = [each.value.string_value for each in record.attributes if each.key == name]
    return str(found)


@pytest.fixture
def receiver() -> Iterator[tuple[Receiver, OTLPDecisionExporter]]:
    """A receiver, and an exporter that sends to it."""
    made = Receiver()
    with serving(made) as url:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{url}/", "OTEL_EXPORTER_OTLP_HEADERS": "key=a%20b"}
        exporter = OTLPDecisionExporter(variables)
        yield made, exporter
        exporter.shutdown()


def test_a_record_is_a_log_record_of_its_span(receiver: tuple[Receiver, OTLPDecisionExporter]) -> None:
    """It has the decision's id, trace and summary, the service as its resource, and all of the record as its body."""
    server, exporter = receiver
    exporter.export([POLICY, RECORD])
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.headers["key"]) == ("POST", "/v1/logs", "a b")
    policy, found = records_in(asked)
    assert (policy.event_name, found.event_name) == ("specspan.policy_record", "specspan.decision_record")
    assert (found.trace_id, found.span_id) == (b"\xab" * 16, b"\xcd" * 8)
    assert (found.time_unix_nano, found.severity_text) == (RECORD["time_unix_nano"], "WARN")
    assert value(found, "specspan.decision.verdict") == "violated"
    assert '"id":"d-1"' in found.body.string_value
    request = ExportLogsServiceRequest.FromString(gzip.decompress(asked.body))
    names = {each.key: each.value.string_value for each in request.resource_logs[1].resource.attributes}
    assert names == {"service.name": "desk", "service.version": "7", "service.instance.id": "i-1"}


@pytest.mark.parametrize(
    ("answer", "is_temporary", "retry_after_s"),
    [
        (Answer(503, headers={"Retry-After": "7"}), True, 7.0),
        (Answer(429, headers={"Retry-After": "100000"}), True, 300.0),
        (Answer(429, headers={"Retry-After": "soon"}), True, None),
        (Answer(429, headers={"Retry-After": formatdate(time() - 5, usegmt=True)}), True, 0.0),
        (Answer(307, headers={"Location": "http://127.0.0.1:1/"}), True, None),
        (Answer(400), False, None),
        (Answer(413), False, None),
    ],
)
def test_what_is_not_acknowledged_is_raised(
    receiver: tuple[Receiver, OTLPDecisionExporter], answer: Answer, is_temporary: bool, retry_after_s: float | None
) -> None:
    """The error says whether another attempt may help, and when; a redirect is not followed, and named."""
    server, exporter = receiver
    server.answer = answer
    with pytest.raises(Unacknowledged, match=str(answer.status)) as raised:
        exporter.export([RECORD])
    assert (raised.value.is_temporary, raised.value.retry_after_s) == (is_temporary, retry_after_s)
    assert len(server.asked) == 1


def test_no_answer_is_temporary() -> None:
    """A receiver that is not there may yet come; its address, which may hold a secret, is not told."""
    exporter = OTLPDecisionExporter({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://127.0.0.1:9/secret"})
    with pytest.raises(Unacknowledged, match=r"no answer: ConnectionError\Z") as raised:
        exporter.export([RECORD])
    assert raised.value.is_temporary
    exporter.shutdown()


def test_what_is_rejected_in_part_is_counted_and_not_sent_again(
    receiver: tuple[Receiver, OTLPDecisionExporter], caplog: pytest.LogCaptureFixture
) -> None:
    """The receiver says how many it did not take, and why; a page of a proxy's is an acknowledgement as well."""
    server, exporter = receiver
    partial = ExportLogsPartialSuccess(rejected_log_records=2, error_message="too old")
    server.answer = Answer(body=ExportLogsServiceResponse(partial_success=partial).SerializeToString())
    before = drop_counts.totals().get(("decision", "rejected"), 0)
    exporter.export([decision(number) for number in range(3)])
    assert drop_counts.totals()["decision", "rejected"] == before + 2
    assert "rejected 2 of 3 records: too old" in caplog.text
    assert len(server.asked) == 1
    server.answer = Answer(body=b"<html>thanks</html>")
    exporter.export([RECORD])


def test_requests_are_split(receiver: tuple[Receiver, OTLPDecisionExporter], monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is larger than it may be, nor than the receiver takes; each record comes once, in order."""
    server, exporter = receiver
    monkeypatch.setattr(otlp_decisions, "MAX_BYTES", 20_000)
    server.most_records = 3
    numbers = range(40)
    exporter.export([decision(number, reason="x" * 300) for number in numbers])
    taken = [asked for asked in server.asked if len(records_in(asked)) <= 3]
    assert all(len(gzip.decompress(asked.body)) <= 20_000 for asked in server.asked)
    assert [value(record, "log.record.uid") for asked in taken for record in records_in(asked)] == [
        f"d-{number}" for number in numbers
    ]


def test_a_ledger_waits_for_the_receiver(receiver: tuple[Receiver, OTLPDecisionExporter], tmp_path: Path) -> None:
    """While the receiver is not ready nothing is lost; it may get a record twice, with the same id."""
    server, exporter = receiver
    server.answer = Answer(503, headers={"Retry-After": "0"})
    ledger = open_in(tmp_path)
    ledger.ship_to("otlp", exporter)
    for number in range(3):
        ledger.append(decision(number), find_policy)
    assert not ledger.force_flush(0.05)
    ledger._shippers[0]._round()
    server.answer = Answer()
    assert ledger.force_flush(30.0)
    assert set(server.ids) == {"sha256:p", "d-0", "d-1", "d-2"}
    ledger.shutdown(30.0)


def test_it_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`SPECSPAN_DECISION_EXPORTER=otlp` needs an endpoint, and no file."""
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", raising=False)
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT"):
        create_exporter(DECISIONS, "otlp", db=tmp_path / "none.db")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    make: Callable[..., Any] = create_exporter
    exporter = make(DECISIONS, "otlp", db=tmp_path / "none.db")
    assert isinstance(exporter, OTLPDecisionExporter)
    exporter.shutdown()
