"""What a Collector writes to a file of the log records that hold decision records comes back whole."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest
import yaml
from benchmarks.stored_traffic import decision_records, policy_records
from google.protobuf.json_format import MessageToJson
from loopback import Answer, Asked, serving
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from documents import ROOT
from specspan.cli.otlp_file import InvalidLine, read_records
from specspan.record import conventions as names
from specspan.runtime.otlp_decisions import OTLPDecisionExporter


def test_records_come_back_whole() -> None:
    """Every member of decisions, policies and late findings is as it was; numbers keep their type."""
    late = {
        "v": 2,
        "type": "finding",
        "id": "f",
        "decision": "d",
        "time_unix_nano": 3,
        "finding": {"position": 0, "score": 1.0},
    }
    records: list[Any] = [*policy_records(), *decision_records(30), {**late, "odd": [None, {}, [], True, "{}"]}]
    lines: list[str] = []

    def receive(asked: Asked) -> Answer:
        request = ExportLogsServiceRequest.FromString(gzip.decompress(asked.body))
        lines.append(MessageToJson(request, indent=None))  # as the Collector's exporter of files does
        return Answer()

    with serving(receive) as address:
        exporter = OTLPDecisionExporter({"OTEL_EXPORTER_OTLP_ENDPOINT": address})
        exporter.export(records)
        exporter.shutdown()
    back = [record for line in lines for record in read_records(line)[0]]
    assert sorted(map(json.dumps, back)) == sorted(map(json.dumps, records))
    assert len(set(re.findall(r'"specspan\.\w+_record"', "".join(lines)))) == 3


@pytest.mark.parametrize("line", ["no json", "[]", "1", "[" * 100_000])
def test_what_is_no_object_is_refused(line: str) -> None:
    """Whatever is wrong with it."""
    with pytest.raises(InvalidLine):
        read_records(line)


def test_the_page_names_no_part_that_it_does_not_define() -> None:
    """Each receiver, processor and exporter of the Collector's pipeline is one that the page configures."""
    page = (ROOT / "docs" / "production" / "decisions.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    settings = yaml.safe_load(block)
    (pipeline,) = settings["service"]["pipelines"].values()
    for kind, parts in pipeline.items():
        assert sorted(parts) == sorted(settings[kind])
    (excluded,) = settings["processors"]["filter/records"]["logs"]["log_record"]
    pattern = re.findall(r'"(.*)"', excluded)[0]
    for name in (names.DECISION_RECORD, names.POLICY_RECORD, names.FINDING_RECORD):
        assert re.search(pattern, name)
