"""Interruptions that arrive in specspan: raised to the application, with the call recorded as interrupted."""

from __future__ import annotations

import ctypes
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType
from typing import Any

import pytest
from interrupting import OURS, SoftLimit, Timer, fastest
from openai_wire import Wire, chunks, completion, sse
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from policies import Code, bound, pattern, policy
from thorough import examples

import specspan
from specspan._support import drop_counts
from specspan._support.interruption import KNOWN_TYPES
from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Action, Mode, Stage
from specspan.instrument.install import instrument, uninstrument
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("in_production")
INTERRUPTIONS = examples(2_000)


class Deadline(TimeoutError, ValueError, RuntimeError):
    """Time limit that many a narrow clause would take for something else."""


@pytest.fixture
def instrumented() -> Iterator[None]:
    instrument("openai")
    yield
    uninstrument()


@pytest.fixture(autouse=True)
def handlers_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def raising(kind: type[Exception]) -> Callable[[int, FrameType | None], None]:
    def handler(number: int, frame: FrameType | None) -> None:
        raise kind

    return handler


def interrupts(call: ModelCall, texts: Sequence[TextAt]) -> bool:
    """A check in whose middle a signal arrives at the main thread, which waits for it or runs it."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
    if threading.current_thread() is not threading.main_thread():
        HELD.wait(30)
    return True


HELD = threading.Event()
"""Ends a check on another thread, which is to take longer than the caller."""


@pytest.fixture(autouse=True)
def held() -> Iterator[None]:
    HELD.clear()
    yield
    HELD.set()


def enforced(stage: Stage, timeout_s: float | None) -> Policy:
    check = Code(interrupts, stage, timeout_s)
    return policy(bound("interrupted", check, action=Action.BLOCK), mode=Mode.ENFORCE)


def internal_failures() -> dict[str, int]:
    """Return how often each place failed in this process until now; tests before this one count, too."""
    return {place: count for (kind, place), count in drop_counts.totals().items() if kind == "internal"}


@pytest.mark.parametrize("timeout_s", [None, 60.0])
@pytest.mark.parametrize("stage", [Stage.INPUT, Stage.OUTPUT])
@pytest.mark.parametrize("kind", [SoftLimit, Deadline])
@pytest.mark.usefixtures("instrumented")
def test_an_interruption_of_a_check_is_the_applications(
    kind: type[Exception], stage: Stage, timeout_s: float | None
) -> None:
    """It is raised; the request is not sent if it had not been; the span ends, and the decision says why."""
    signal.signal(signal.SIGUSR1, raising(kind))
    wire = Wire(completion())
    before = internal_failures()
    with recorded(enforced(stage, timeout_s)) as record:
        with wire.sync_client() as client, pytest.raises(kind):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        (span,) = record.spans
        (decision,) = record.decisions

    assert len(wire.requests) == (0 if stage is Stage.INPUT else 1)
    assert (span.attributes or {})["error.type"] == kind.__qualname__
    assert decision["reason"] == "interrupted"
    assert [finding["reason"] for finding in decision["findings"]] == ["interrupted"]
    assert internal_failures() == before


@pytest.mark.parametrize("name", sorted(KNOWN_TYPES))
@pytest.mark.usefixtures("instrumented")
def test_a_thread_is_interrupted_by_another(name: str) -> None:
    """What `PyThreadState_SetAsyncExc` sets is raised where its type is a known one, as those of Celery and RQ are."""
    module, _, kind = name.rpartition(".")
    known = type("Ours", (type(kind, (Exception,), {"__module__": module}),), {})

    def set_exception(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        thread = ctypes.c_ulong(threading.get_ident())
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(known))
        return all(range(1, 1000))

    rules = policy(bound("interrupted", Code(set_exception), action=Action.BLOCK), mode=Mode.ENFORCE)
    with recorded(rules) as record, Wire(completion()).sync_client() as client:
        with pytest.raises(known):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
        assert [decision["reason"] for decision in record.decisions] == ["interrupted"]


GUARDED = policy(
    bound("secrets", pattern("FORBIDDEN"), pattern("FORBIDDEN", stage=Stage.INPUT), action=Action.BLOCK),
    bound("inline", Code(lambda call, texts: len(texts) > 0, Stage.INPUT), action=Action.BLOCK),
    bound("timed", Code(lambda call, texts: True, Stage.OUTPUT, 60.0), action=Action.BLOCK),
    mode=Mode.ENFORCE,
)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.usefixtures("instrumented")
def test_of_many_interruptions_none_is_lost_in_specspan(monkeypatch: pytest.MonkeyPatch, *, streamed: bool) -> None:
    """At random moments of calls: each is raised but for those that the client swallows by itself. Afterwards nothing
    is left behind: calls are decided and enforced, and no span of an interrupted call is current.
    """
    failed = internal_failures()
    in_collection = list[Any]()
    monkeypatch.setattr(sys, "unraisablehook", in_collection.append)
    wire = Wire(sse(chunks("a", "b")) if streamed else completion())
    ended = Ended()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(ended)
    specspan.configure(GUARDED, tracer_provider=provider, decision_exporters=[ended])
    with wire.sync_client() as client:

        def call(text: str = "hi") -> None:
            answer: Any = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": text}], stream=streamed
            )
            if streamed:
                list(answer)

        call()
        duration_s = fastest(call)
        timer, moments, swallowed = Timer(), random.Random(7), list[str]()
        while timer.raised < INTERRUPTIONS // 2:
            collected = len(in_collection)
            if timer.interrupt(call, moments.uniform(1e-6, 1.2 * duration_s)) and len(in_collection) == collected:
                swallowed.append(timer.hit)

        assert [name for name in swallowed if any(part in name for part in OURS)] == []
        assert trace.get_current_span() is trace.INVALID_SPAN
        before = len(ended.spans)
        with pytest.raises(specspan.Blocked):
            call("FORBIDDEN")
        call()
        assert [span.parent for span in ended.spans[before:]] == [None, None]
    specspan.shutdown()
    assert ended.decisions[-1].get("reason") not in ("interrupted", "internal")
    assert internal_failures() == failed


class Ended(SpanProcessor):
    """Spans and decisions, as they come. OpenTelemetry's own exporting one contains what is raised in an exporter."""

    def __init__(self) -> None:
        self.spans = list[ReadableSpan]()
        self.decisions = list[Mapping[str, Any]]()

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.decisions.extend(records)
