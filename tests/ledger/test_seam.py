"""The ledger behind `configure` and the recorder: each decision reaches it before anything else."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ledgers import ENVIRONMENT, decision_ids, open_in, records
from manners import POLICY, SPEC
from recording import CALL, COMPLETED, SSN, MemoryExporter, decision
from unconfigured import unconfigured

import specspan
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.engine.waiting import run_sync
from specspan.errors import ConfigurationError, MissingDependency
from specspan.instrument.gate import active
from specspan.ledger.ledger_settings import Durability, LedgerSettings, parse_size, read_ledger_settings
from specspan.record.call_end import Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings
from specspan.sqlite import Reader


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder with a policy in which nothing is configured before or after."""
    with unconfigured(monkeypatch, tmp_path) as folder:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        (folder / "manners.md").write_text(SPEC)
        (folder / "policy.yaml").write_text(POLICY)
        yield folder


def call(answer: str) -> None:
    """Decide and record one answered call, as instrumentation does."""
    pipeline = active()
    assert pipeline is not None
    assert pipeline.engine is not None
    request = Request("test", model="m", input=(Message("user", (Text("hello"),)),))
    made = ModelCall(request, Response(output=(Message("assistant", (Text(answer),)),)))
    span = pipeline.recorder.start_call(request, made.context)
    evaluation = pipeline.engine.open()
    run_sync(evaluation.input(made))
    run_sync(evaluation.output(made))
    pipeline.recorder.end_call(span, made, evaluation.decide(), COMPLETED, Timing(0.1))


def call_often() -> None:
    """Make 25 calls."""
    for _ in range(25):
        call("Hello.")


class Watching(MemoryExporter):
    """Exporter that looks into the ledger when it is handed a decision, and fails."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.seen: list[list[str]] = []

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.seen.append(decision_ids(self.folder))
        raise OSError("no backend")


def record_one(recorder: Recorder, id_: str = "d-1") -> None:
    """Record one call."""
    span = recorder.start_call(CALL.request, CALL.context)
    recorder.end_call(span, CALL, decision(SSN, id=id_), COMPLETED, Timing(0.1))


def test_a_decision_is_in_the_ledger_before_any_backend(tmp_path: Path) -> None:
    """When an exporter is handed a decision, the ledger has it; what becomes of the exporter changes nothing there."""
    exporter = Watching(tmp_path)
    recorder = Recorder(
        Settings(retry_delays_s=(), digest_key=b"k"), decision_exporters=(exporter,), ledger=open_in(tmp_path)
    )
    record_one(recorder)
    assert decision_ids(tmp_path) == ["d-1"]
    recorder.force_flush(10)
    recorder.shutdown()
    assert exporter.seen == [["d-1"]]
    assert records(tmp_path)[-1].body.items() >= {"attempted": 1, "recorded": 1, "dropped": {}}.items()


def test_ledger_and_exporter_have_the_same_record(tmp_path: Path) -> None:
    """The body of a record is what exporters are handed, but for the time, which is a string."""
    exporter = MemoryExporter()
    recorder = Recorder(Settings(digest_key=b"k"), decision_exporters=(exporter,), ledger=open_in(tmp_path))
    record_one(recorder)
    recorder.shutdown()
    (body,) = [record.body for record in records(tmp_path) if record.type == "decision"]
    assert {**body, "time_unix_nano": int(body["time_unix_nano"])} == exporter.records[0]


def test_a_record_that_cannot_be_made_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision of which no record can be made is lost for the reason `internal`; the application goes on."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    ledger = open_in(tmp_path)
    recorder = Recorder(Settings(digest_key=b"k"), ledger=ledger)
    with monkeypatch.context() as patch:
        patch.setattr("specspan.record.decision_record.RecordBuilder.encode", lambda *_: 1 / 0)
        record_one(recorder)
    assert ledger.append({"id": "d-2", "time_unix_nano": 1, "policy": {}, "object": object()}, lambda _: None) is False
    record_one(recorder, "d-3")
    assert ledger.accounts() == {"attempted": 3, "recorded": 1, "dropped": {"internal": 2}}
    recorder.shutdown()
    assert [record.type for record in records(tmp_path)] == ["start", "loss", "decision", "end"]


def test_configure_names_a_folder(configured: Path) -> None:
    """Every decision is in the ledger when its call returns, after the record of its policy; the stream then ends."""
    specspan.configure(policy="policy.yaml", ledger="ledger")
    call("Good morning.")
    call("shut up")
    found = records(configured / "ledger")
    assert [record.type for record in found] == ["start", "policy", "decision", "decision"]
    assert [record.body["verdict"] for record in found[2:]] == ["complied", "violated"]
    assert found[2].body["policy"]["record"] == found[1].body["id"]
    specspan.shutdown()
    assert records(configured / "ledger")[-1].type == "end"


def test_a_variable_names_a_folder(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`SPECSPAN_LEDGER` is a ledger, unless code or the mode says that there is none."""
    monkeypatch.setenv("SPECSPAN_LEDGER", "of-variable")
    specspan.configure(policy="policy.yaml", ledger=False)
    call("Good morning.")
    monkeypatch.setenv("SPECSPAN_LEDGER_MODE", "off")
    specspan.configure(policy="policy.yaml")
    call("Good morning.")
    assert not (configured / "of-variable").exists()
    monkeypatch.setenv("SPECSPAN_LEDGER_MODE", "durable")
    specspan.configure(policy="policy.yaml")
    call("Good morning.")
    assert records(configured / "of-variable")[0].body["mode"] == "durable"


def test_calls_of_many_threads_are_accounted_for(configured: Path) -> None:
    """Attempted = recorded, in the ledger and by the callers' own count."""
    specspan.configure(policy="policy.yaml", ledger="ledger")
    threads = [threading.Thread(target=call_often) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    specspan.shutdown()
    ids = decision_ids(configured / "ledger")
    assert len(ids) == len(set(ids)) == 200
    assert records(configured / "ledger")[-1].body.items() >= {"attempted": 200, "recorded": 200}.items()


def test_sqlite_is_fed_from_the_ledger(configured: Path) -> None:
    """After a flush the default file has every decision; a flush is done only when it has."""
    specspan.configure(policy="policy.yaml", ledger="ledger")
    call("Good morning.")
    call("shut up")
    assert specspan.force_flush(10.0)
    with Reader(configured / "specspan.db") as reader:
        kept = {each["id"]: each for each in reader.decisions()}
    assert sorted(kept) == sorted(decision_ids(configured / "ledger"))
    assert sorted(each["verdict"] for each in kept.values()) == ["complied", "violated"]


def test_exporters_that_are_given_are_fed_from_the_ledger(configured: Path) -> None:
    """Two exporters of one class each get everything."""
    exporters = [MemoryExporter(), MemoryExporter()]
    specspan.configure(policy="policy.yaml", ledger="ledger", decision_exporters=exporters)
    call("Good morning.")
    specspan.shutdown()
    for exporter in exporters:
        assert [record["type"] for record in exporter.records] == ["policy", "decision"]
        assert exporter.closed == 1
    assert sorted(path.name for path in (configured / "ledger" / "cursors").iterdir()) == [
        "MemoryExporter",
        "MemoryExporter-1",
    ]


def test_a_swapped_policy_is_recorded(configured: Path) -> None:
    """A second configuration ends the stream of the first and begins its own, with the policy."""
    specspan.configure(policy="policy.yaml", ledger="ledger")
    call("Hello.")
    specspan.configure(policy="policy.yaml", ledger=LedgerSettings(configured / "ledger", Durability.DURABLE))
    call("Hello.")
    specspan.shutdown()
    types = [record.type for record in records(configured / "ledger")]
    assert types == ["start", "policy", "decision", "end"] * 2


def test_without_the_package_configure_names_the_extra(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `cryptography` there is no ledger, and the remedy is the line that installs it."""
    import_ = builtins.__import__

    def without(name: str, *args: Any, **named: Any) -> Any:
        if name.startswith("cryptography"):
            raise ModuleNotFoundError(name)
        return import_(name, *args, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[ledger\]'"):
        specspan.configure(policy="policy.yaml", ledger="ledger")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SPECSPAN_LEDGER_MODE": "sometimes"}, r"SPECSPAN_LEDGER_MODE: unknown mode 'sometimes'\. Use one of durable"),
        ({"SPECSPAN_LEDGER_CAP": "much"}, r"SPECSPAN_LEDGER_CAP: invalid size 'much'\. Write a size such as 8GiB"),
        ({"SPECSPAN_LEDGER_KEY": "secret"}, r"SPECSPAN_LEDGER_KEY: invalid key: .*begin with PRIVATE"),
        ({"SPECSPAN_LEDGER_KEY": "", "SPECSPAN_LEDGER_KEY_FILE": "none"}, "SPECSPAN_LEDGER_KEY_FILE: the key cannot"),
        ({"SPECSPAN_LEDGER_KEY": "", "SPECSPAN_LEDGER_KEY_COMMAND": "false"}, "SPECSPAN_LEDGER_KEY_COMMAND: the comm"),
        ({"SPECSPAN_LEDGER": "manners.md/x"}, "the ledger cannot be made: Not a directory"),
    ],
)
def test_misuse_is_named(
    configured: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], message: str
) -> None:
    """An invalid setting is an error of `configure` with a remedy, and quotes no secret."""
    for name, value in {"SPECSPAN_LEDGER": "ledger", **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=message) as caught:
        specspan.configure(policy="policy.yaml")
    assert "secret" not in str(caught.value)


def test_keys_come_from_a_file_a_command_or_the_folder(configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each source gives its key; without one, a key is made in the folder once."""
    secret = ENVIRONMENT["SPECSPAN_LEDGER_KEY"]
    (configured / "key").write_text(secret)
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY", "")
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY_FILE", "key")
    (configured / "key").chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"others can read the key. Run: chmod 600 key"):
        specspan.configure(policy="policy.yaml", ledger="ledger")
    (configured / "key").chmod(0o600)
    specspan.configure(policy="policy.yaml", ledger="ledger")
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY_FILE", "")
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY_COMMAND", "cat key")
    specspan.configure(policy="policy.yaml", ledger="ledger")
    assert len((configured / "ledger" / "keys").read_text().splitlines()) == 1
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY_COMMAND", "")
    for _ in range(2):
        specspan.configure(policy="policy.yaml", ledger="ledger")
    assert len((configured / "ledger" / "keys").read_text().splitlines()) == 2
    assert records(configured / "ledger")


def test_sizes() -> None:
    """Sizes are bytes, or have a unit that is a power of 1024."""
    assert [parse_size(text, "x") for text in ("1000", "5k", "8GiB", "2 MB", "1t")] == [
        1000,
        5 * 2**10,
        8 * 2**30,
        2 * 2**20,
        2**40,
    ]
    settings = read_ledger_settings({"SPECSPAN_LEDGER": "/x", "SPECSPAN_LEDGER_CAP": "1k"})
    assert settings == LedgerSettings(Path("/x"), cap_bytes=1024)
    assert read_ledger_settings({}) is None
