"""Decision records on their way to exporters."""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_current
from recording import CALL, COMPLETED, KIND, MemoryExporter, decision

from specspan._support import drop_counts
from specspan.record import export
from specspan.record import recorder as recorder_module
from specspan.record.call_end import Ending, Timing
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings

NO_WAITING = Settings(retry_delays_s=(0.0, 0.0), digest_key=b"k")


class Failing(MemoryExporter):
    """Fails the first ``times`` attempts."""

    def __init__(self, times: float) -> None:
        super().__init__()
        self.times = times
        self.attempts = 0

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.attempts += 1
        if self.attempts <= self.times:
            raise OSError("disk full")
        super().export(records)


class Locked(Exception):
    """An error of which its exporter says that it will pass."""

    is_temporary = True


class Busy(MemoryExporter):
    """Cannot write until it is let, and says that this will pass."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts = 0
        self.tried_often, self.is_free = threading.Event(), False

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.attempts += 1
        if self.attempts > 5:  # more often than a fault that lasts is tried
            self.tried_often.set()
        if not self.is_free:
            raise Locked
        super().export(records)


class Hanging(MemoryExporter):
    """Holds on to the first batch until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go_on = threading.Event(), threading.Event()

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.entered.set()
        assert self.go_on.wait(10)
        super().export(records)


class Counting(MemoryExporter):
    """Says when a record arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Semaphore(0)

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        super().export(records)
        self.arrived.release(len(records))


def decide(recorder: Recorder, *ids: str) -> None:
    for decision_id in ids:
        span = recorder.start_call(CALL.request, CALL.context)
        recorder.end_call(span, CALL, decision(KIND, id=decision_id), COMPLETED, Timing(1.0))


def lost(what: str = "decision") -> dict[str, int]:
    return {reason: count for (kind, reason), count in drop_counts.totals().items() if kind == what}


def more(before: dict[str, int]) -> dict[str, int]:
    return {reason: count - before.get(reason, 0) for reason, count in lost().items() if count != before.get(reason)}


def test_every_exporter_gets_every_decision() -> None:
    """Each exporter gets all records in order, and is shut down once, after the last."""
    exporters = (MemoryExporter(), MemoryExporter())
    recorder = Recorder(NO_WAITING, decision_exporters=exporters)
    decide(recorder, "a", "b", "c")
    recorder.shutdown()
    recorder.shutdown()
    for exporter in exporters:
        assert [record["id"] for record in exporter.records] == ["a", "b", "c"]
        assert exporter.closed == 1


def test_a_passing_fault_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """A batch is handed over again until the exporter takes it; an outage is logged once."""
    before = lost()
    exporter = Failing(times=2)
    recorder = Recorder(NO_WAITING, decision_exporters=(exporter,))
    with caplog.at_level(logging.WARNING, "specspan"):
        decide(recorder, "a")
        recorder.shutdown()
    assert ([record["id"] for record in exporter.records], exporter.attempts) == (["a"], 3)
    assert [record.getMessage() for record in caplog.records] == [
        "Failing could not export 1 decisions: OSError('disk full')"
    ]
    assert more(before) == {}


def test_a_lasting_fault_is_counted_and_harms_no_other_exporter(caplog: pytest.LogCaptureFixture) -> None:
    """Retries are bounded: what could not be handed over is dropped and counted, and the other exporter has all."""
    before = lost()
    broken, sound = Failing(times=float("inf")), MemoryExporter()
    recorder = Recorder(NO_WAITING, decision_exporters=(broken, sound))
    with caplog.at_level(logging.CRITICAL, "specspan"):
        for decision_id in "abc":
            decide(recorder, decision_id)
            assert not recorder.force_flush(10)
        assert recorder.force_flush(10)  # what was lost before was not there any more
        recorder.shutdown()
    assert broken.attempts == 9
    assert [record["id"] for record in sound.records] == ["a", "b", "c"]
    assert more(before) == {"export_failed": 3}


def test_what_will_pass_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is kept, with all behind it, while the exporter says that its error is temporary."""
    monkeypatch.setattr(export, "_TEMPORARY_DELAY_S", 0.001)
    before = lost()
    busy = Busy()
    recorder = Recorder(Settings(batch_size=1, digest_key=b"k", retry_delays_s=()), decision_exporters=(busy,))
    decide(recorder, "a", "b", "c")
    assert busy.tried_often.wait(10)
    assert not recorder.force_flush(0)
    busy.is_free = True
    assert recorder.force_flush(10)
    recorder.shutdown()
    assert [record["id"] for record in busy.records] == ["a", "b", "c"]
    assert more(before) == {}


def test_what_does_not_pass_in_time_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shutdown waits no longer than its limit; what was kept counts as dropped, and is not written later."""
    monkeypatch.setattr(export, "_TEMPORARY_DELAY_S", 0.001)
    monkeypatch.setattr(recorder_module, "_SHUTDOWN_S", 0.05)
    before = lost()
    busy = Busy()
    recorder = Recorder(Settings(batch_size=2, digest_key=b"k"), decision_exporters=(busy,))
    decide(recorder, "a", "b", "c")
    assert busy.tried_often.wait(10)
    recorder.shutdown()
    busy.is_free = True
    for thread in threading.enumerate():
        if thread.name == "specspan-decision":
            thread.join(10)
    assert (busy.records, busy.closed) == ([], 1)
    assert more(before) == {"shutdown": 3}


def test_a_hanging_exporter_drops_what_its_queue_cannot_hold() -> None:
    """attempted = recorded + dropped by reason, exactly; a flush says that it did not finish; the other is unharmed."""
    before = lost()
    hanging, sound = Hanging(), Counting()
    settings = Settings(queue_size=10, batch_size=1, interval_s=60.0, digest_key=b"k")
    recorder = Recorder(settings, decision_exporters=(hanging, sound))
    for number in range(50):
        decide(recorder, str(number))
        assert hanging.entered.wait(10)
        assert sound.arrived.acquire(timeout=10)
    assert not recorder.force_flush(0)
    hanging.go_on.set()
    recorder.shutdown()
    assert more(before) == {"queue_full": 39}
    assert [record["id"] for record in hanging.records] == [str(number) for number in range(11)]
    assert [record["id"] for record in sound.records] == [str(number) for number in range(50)]


def test_while_an_exporter_lags_no_conversation_is_held() -> None:
    """Beyond one waiting batch the record is made at once: what waits holds no prompts and no answers."""
    hanging = Hanging()
    recorder = Recorder(Settings(batch_size=2, interval_s=60.0, digest_key=b"k"), decision_exporters=(hanging,))
    decide(recorder, "a", "b")
    assert hanging.entered.wait(10)
    decide(recorder, "c", "d", "e", "f")
    (queued,) = recorder._exports
    held = [type(item).__name__ for item in queued.worker._queue]
    hanging.go_on.set()
    recorder.shutdown()
    assert held == ["CallRecord", "CallRecord", "_Built", "_Built"]
    assert [record["id"] for record in hanging.records] == list("abcdef")


def test_decisions_after_the_end_are_counted() -> None:
    """After shutdown decisions are dropped and counted; the application goes on."""
    before = lost()
    exporter = MemoryExporter()
    recorder = Recorder(NO_WAITING, decision_exporters=(exporter,))
    recorder.shutdown()
    decide(recorder, "late")
    assert exporter.records == []
    assert more(before) == {"shutdown": 1}


def test_a_record_that_cannot_be_made_leaves_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """One decision that breaks its record is counted; those beside it are exported."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    before = lost()
    exporter = MemoryExporter()
    recorder = Recorder(NO_WAITING, decision_exporters=(exporter,))
    broken: Any = decision(KIND, findings=(None,))
    decide(recorder, "a")
    recorder.end_call(recorder.start_call(CALL.request, CALL.context), CALL, broken, COMPLETED, Timing(1.0))
    decide(recorder, "b")
    recorder.shutdown()
    assert [record["id"] for record in exporter.records] == ["a", "b"]
    assert more(before) == {"internal": 1}


def test_what_waits_holds_no_frames() -> None:
    """An exception's traceback keeps the application's locals alive, so none waits in a queue."""

    class Local:
        pass

    def fail() -> weakref.ref[Local]:
        local = Local()
        try:
            raise ValueError
        except ValueError as error:
            span = recorder.start_call(CALL.request, CALL.context)
            recorder.end_call(span, CALL, decision(KIND), Ending.from_error(error), Timing(1.0))
        return weakref.ref(local)

    recorder = Recorder(Settings(interval_s=60.0), decision_exporters=(MemoryExporter(),))
    assert fail()() is None
    recorder.shutdown()


def test_at_the_end_no_exporter_waits_for_another() -> None:
    """All exporters write what waits at once: here the first does not return before the second has its record."""
    sound = Counting()

    class Dependent(MemoryExporter):
        def export(self, records: Sequence[Mapping[str, Any]]) -> None:
            assert sound.arrived.acquire(timeout=4)
            super().export(records)

    dependent = Dependent()
    recorder = Recorder(Settings(interval_s=60.0, digest_key=b"k"), decision_exporters=(dependent, sound))
    decide(recorder, "a")
    recorder.shutdown()
    assert len(dependent.records) == len(sound.records) == 1


def test_an_exporters_own_work_is_not_traced() -> None:
    """While it exports, other instrumentation is told to look away: decisions about decisions would never end."""
    suppressed: list[object] = []

    class Looking(MemoryExporter):
        def export(self, records: Sequence[Mapping[str, Any]]) -> None:
            suppressed.append(get_current().get(_SUPPRESS_INSTRUMENTATION_KEY))

    recorder = Recorder(NO_WAITING, decision_exporters=(Looking(),))
    decide(recorder, "a")
    recorder.shutdown()
    assert [bool(value) for value in suppressed] == [True]
