"""Spans as witnesses: what they say of a ledger is read from Jaeger and Tempo, and the ledger compared with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner
from ledgers import ENVIRONMENT, KEY, find_policy, open_in
from loopback import Answer, Asked, serving
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from recording import CALL, COMPLETED, decision

from specspan.cli.main import cli
from specspan.errors import ConfigurationError
from specspan.ledger import ledger_files as files
from specspan.ledger.audit import audit
from specspan.ledger.chain_reader import Fault
from specspan.ledger.stream_files import stream_names
from specspan.ledger.witnesses import Witness, fetch_witnesses
from specspan.record.call_end import Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

Attributes = Mapping[str, Any]


@pytest.fixture
def spans(tmp_path: Path) -> list[Attributes]:
    """Attributes of the spans of ten calls, whose decisions are in the ledger of the test's folder."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    ledger = open_in(tmp_path)
    recorder = Recorder(Settings(), tracer_provider=provider, ledger=ledger)
    for number in range(10):
        span = recorder.start_call(CALL.request, CALL.context)
        recorder.end_call(span, CALL, decision(id=f"d-{number}"), COMPLETED, Timing(0.1))
        if number == 5:
            assert recorder.force_flush(30.0)
    recorder.shutdown()
    provider.shutdown()
    return [dict(span.attributes or {}) for span in memory.get_finished_spans()]


def jaeger(spans: list[Attributes]) -> Callable[[Asked], Answer]:
    """Answer as Jaeger's query service does."""

    def answer(asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        if url.path == "/api/services":
            return Answer(body=b'{"data":["desk"]}')
        (tags,) = parse_qs(url.query)["tags"]
        wanted = json.loads(tags)["specspan.ledger.stream"]
        found = [
            {"tags": [{"key": key, "type": "string", "value": value} for key, value in span.items()]}
            for span in spans
            if span["specspan.ledger.stream"] == wanted
        ]
        return Answer(body=json.dumps({"data": [{"spans": found}]}).encode())

    return answer


def tempo(spans: list[Attributes]) -> Callable[[Asked], Answer]:
    """Answer as Tempo's search does."""

    def value(of: Any) -> dict[str, str]:
        return {"intValue": str(of)} if isinstance(of, int) else {"stringValue": str(of)}

    def answer(asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        if url.path != "/api/search":
            return Answer(404)
        (query,) = parse_qs(url.query)["q"]
        assert query.startswith('{ span."specspan.ledger.stream" = "')
        found = [{"attributes": [{"key": key, "value": value(of)} for key, of in span.items()]} for span in spans]
        return Answer(body=json.dumps({"traces": [{"spanSets": [{"spans": found}]}]}).encode())

    return answer


def test_spans_name_the_place_of_their_decision(tmp_path: Path, spans: list[Attributes]) -> None:
    """Each span has stream and sequence; after a checkpoint is on the disk, its size and root as well."""
    (stream,) = stream_names(tmp_path)
    assert {span["specspan.ledger.stream"] for span in spans} == {stream}
    places = [span["specspan.ledger.sequence"] for span in spans]
    assert places == list(range(places[0], places[0] + 10))
    assert "specspan.ledger.checkpoint" in spans[9]


@pytest.mark.parametrize("backend", [jaeger, tempo])
def test_a_ledger_is_anchored_by_its_spans(
    tmp_path: Path, spans: list[Attributes], backend: Callable[[list[Attributes]], Callable[[Asked], Answer]]
) -> None:
    """`verify --against` an address is content where the backend has a checkpoint, and finds a change."""
    run = ["ledger", "verify", "--ledger", str(tmp_path), "--against"]
    with serving(backend(spans)) as url:
        found = CliRunner(env=ENVIRONMENT).invoke(cli, [*run, url])
    assert (found.exit_code, "NOT ANCHORED" in found.output) == (0, False)
    other: list[Attributes] = [{**span, "specspan.ledger.checkpoint": f"3 {'A' * 43}="} for span in spans]
    with serving(backend(other)) as url:
        found = CliRunner(env=ENVIRONMENT).invoke(cli, [*run, url])
    assert found.exit_code == 1
    assert "another root" in found.output


def test_a_rolled_back_ledger_is_found(tmp_path: Path, spans: list[Attributes]) -> None:
    """Records that were taken off the end, with their checkpoints, are missed by the spans."""
    (stream,) = stream_names(tmp_path)
    path = tmp_path / files.STREAMS / stream / "000001.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if line.startswith(b'{"checkpoint"')) + 1
    path.write_bytes(b"".join(lines[:cut]))
    (tmp_path / files.OPEN / stream).touch(mode=0o600)
    open_in(tmp_path).shutdown(5.0)  # which recovers it as if it had crashed
    assert audit(tmp_path, (KEY.public_key,)).fault is None
    with serving(jaeger(spans)) as url:
        found = audit(tmp_path, (KEY.public_key,), witnesses=fetch_witnesses(url, [stream]))
    assert found.fault is Fault.TAMPERED


def test_another_decision_in_the_place_of_one(tmp_path: Path, spans: list[Attributes]) -> None:
    """Whoever has the key can write another decision under the same number; the span knows which it was."""
    (stream,) = stream_names(tmp_path)
    place = spans[9]["specspan.ledger.sequence"]
    found = audit(tmp_path, (KEY.public_key,), witnesses=[Witness(stream, place, "d-other", None)])
    assert found.fault is Fault.TAMPERED
    assert "is not the decision d-other" in str(found.streams[0].problem)


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(404), Answer(body=b"<html>"), Answer(body=b'{"data":[{"spans":1}]}')]
)
def test_an_address_of_something_else_is_misuse(answer: Answer) -> None:
    """Whatever answers there, the message names the address and what to give."""
    with serving(lambda _: answer) as url, pytest.raises(ConfigurationError, match="Jaeger's or Tempo's"):
        fetch_witnesses(url, ["stream"])
    with pytest.raises(ConfigurationError, match="Jaeger's or Tempo's"):
        fetch_witnesses("file:///etc/passwd", ["stream"])


def test_checkpoints_are_pinned_outside_of_the_folder(tmp_path: Path) -> None:
    """The pinned file has a checkpoint of what the disk has; a ledger that is set back does not fit it."""
    pinned = tmp_path / "elsewhere"
    folder = tmp_path / "ledger"
    ledger = open_in(folder, pinned=pinned)
    for number in range(3):
        ledger.append({"id": f"d-{number}", "time_unix_nano": 1, "policy": {}, "type": "decision"}, find_policy)
    ledger.shutdown(5.0)
    environment = {**ENVIRONMENT, "SPECSPAN_LEDGER_PINNED": str(pinned)}
    found = CliRunner(env=environment).invoke(cli, ["ledger", "verify", "--ledger", str(folder)])
    assert (found.exit_code, "NOT ANCHORED" in found.output) == (0, False)
    (stream,) = stream_names(folder)
    for path in (folder / files.STREAMS / stream).iterdir():
        path.unlink()
    (folder / files.STREAMS / stream).rmdir()
    found = CliRunner(env=environment).invoke(cli, ["ledger", "verify", "--ledger", str(folder)])
    assert (found.exit_code, "is missing" in found.output) == (1, True)
