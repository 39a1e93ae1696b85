"""Sampling: what is worth keeping is kept whole, the rest by chance, and all of it within bounds."""

from __future__ import annotations

import gc
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from threading import Barrier, Thread
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags, TraceState
from recording import SSN, decision

from specspan._support import drop_counts
from specspan.record.sampling import tail
from specspan.record.sampling.rules import Keep, Sampling
from specspan.record.sampling.tail import PendingTraces, RecordingSampler, TailSamplingProcessor, head_sampler

VIOLATED = {"specspan.decision.verdict": "violated"}
PENDING = {"specspan.clauses.pending": 1}


class Tracing:
    """A provider of the SDK with one sampling, and what comes out of it."""

    def __init__(self, sampling: Sampling | None = None, *, now_s: Callable[[], float] = lambda: 0.0) -> None:
        self.sampling = sampling or Sampling(ratio=0.0)
        self.exporter = InMemorySpanExporter()
        self.held = PendingTraces(self.sampling, now_s)
        self.processor = TailSamplingProcessor(SimpleSpanProcessor(self.exporter), self.sampling, self.held)
        self.provider = TracerProvider(tail.sampler(self.sampling), shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("test")
        self._before = Counter(drop_counts.totals())

    def trace(self, *children: dict[str, Any], name: str = "root") -> None:
        """One trace: a root, and below it a child with each of these attributes."""
        with self.tracer.start_as_current_span(name):
            for number, attributes in enumerate(children):
                with self.tracer.start_as_current_span(f"{name}.{number}") as span:
                    span.set_attributes(attributes)

    @property
    def exported(self) -> list[str]:
        """Names, in the order of export."""
        return [span.name for span in self.exporter.get_finished_spans()]

    @property
    def lost(self) -> dict[tuple[str, str], int]:
        return dict(Counter(drop_counts.totals()) - self._before)


@pytest.fixture
def tracing() -> Iterator[Callable[..., Tracing]]:
    made: list[Tracing] = []

    def make(*args: Any, **named: Any) -> Tracing:
        made.append(Tracing(*args, **named))
        return made[-1]

    yield make
    for each in made:
        each.provider.shutdown()


def below(span: Span) -> Any:
    return trace.set_span_in_context(span)


def test_a_trace_with_a_violation_is_kept_whole(tracing: Callable[..., Tracing]) -> None:
    """Spans that ended before it, after it and around it are exported; the trace beside it is not."""
    made = tracing()
    made.trace({}, VIOLATED, {}, name="bad")
    made.trace({}, {}, name="good")
    assert sorted(made.exported) == ["bad", "bad.0", "bad.1", "bad.2"]
    assert made.held.size_bytes == 0
    assert made.lost == {}, "what sampling leaves out is not lost"


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        (VIOLATED, "violated"),
        ({"specspan.decision.verdict": "error", "specspan.clauses.violated": ("a",)}, "violated"),
        ({"specspan.finding.outcome": "violated"}, "violated"),
        ({"specspan.decision.verdict": "error"}, "error"),
        ({"specspan.decision.action": "block"}, "blocked"),
        ({"error.type": "specspan.blocked"}, "blocked"),
        ({"specspan.overrides.refused": ("be_kind",)}, "override_refused"),
        ({"specspan.decision.verdict": "uncertain"}, None),
        ({"specspan.decision.verdict": "unassessed"}, None),
        ({"error.type": "ValueError"}, None),
        ({"specspan.decision.verdict": "complied", "specspan.decision.action": "allow"}, None),
    ],
)
def test_what_is_worth_keeping(tracing: Callable[..., Tracing], attributes: dict[str, Any], reason: str | None) -> None:
    """Violated, undecidable and blocked calls and refused overrides are, and every span says which; others are not."""
    made = tracing()
    made.trace(attributes)
    said = [dict(span.attributes or {}).get("specspan.sampling.kept") for span in made.exporter.get_finished_spans()]
    assert said == ([reason] * 2 if reason else [])


@pytest.mark.parametrize(
    ("keep", "attributes"),
    [
        (Keep.UNCERTAIN, {"specspan.clauses.uncertain": ("a",)}),
        (Keep.UNASSESSED, {"specspan.decision.verdict": "unassessed"}),
        (Keep.FAILED, {"error.type": "ValueError"}),
    ],
)
def test_what_is_kept_is_a_setting(tracing: Callable[..., Tracing], keep: Keep, attributes: dict[str, Any]) -> None:
    """Only what the setting names is kept."""
    made = tracing(Sampling(0.0, frozenset({keep})))
    made.trace(attributes, name="chosen")
    made.trace(VIOLATED, name="violated")
    assert sorted(made.exported) == ["chosen", "chosen.0"]


def test_what_the_recorder_writes_is_understood(tracing: Callable[..., Tracing], record: Callable[..., Any]) -> None:
    """A decision that the recorder puts on a span is read from there, with metrics and records made either way."""
    made = tracing()
    recording = record(sampler=made.provider.sampler)
    recording.tracer_provider.add_span_processor(made.processor)
    recording.call(decision(SSN))
    recording.call(decision())
    assert made.exported == ["chat gpt-5"]
    assert [each["verdict"] for each in recording.records] == ["violated", "complied"]


def test_chance_keeps_its_share_and_says_nothing_of_it(tracing: Callable[..., Tracing]) -> None:
    """Of 2,000 traces at 10 %, about 200 are exported whole, and none of them claims to be kept for a reason."""
    made = tracing(Sampling(0.1))
    for _ in range(2_000):
        made.trace({}, {})
    by_trace = Counter(span.context.trace_id for span in made.exporter.get_finished_spans() if span.context)
    assert set(by_trace.values()) == {3}
    assert 100 < len(by_trace) < 320
    assert all("specspan.sampling.kept" not in (span.attributes or {}) for span in made.exporter.get_finished_spans())


def test_kept_spans_are_as_they_were_but_sampled(tracing: Callable[..., Tracing]) -> None:
    """Flags say sampled, or no exporter would take them; ids, parent, state, events, status and drop counts stay."""
    made = tracing()
    state = TraceState([("vendor", "1")])
    remote = NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_state=state))
    with made.tracer.start_as_current_span("served", below(remote)) as span:
        span.set_attributes({f"a{number}": number for number in range(200)})
        span.set_attributes(VIOLATED)
        span.add_event("happened", {"x": 1})
        assert not span.get_span_context().trace_flags.sampled, "another service is told what chance said"
    (kept,) = made.exporter.get_finished_spans()
    assert kept.context is not None
    assert kept.parent is not None
    assert (kept.context.trace_id, kept.context.span_id) == (7, span.get_span_context().span_id)
    assert (kept.parent.span_id, kept.context.trace_state, kept.context.trace_flags.sampled) == (8, state, True)
    assert [event.name for event in kept.events] == ["happened"]
    assert kept.dropped_attributes == 73
    assert (kept.attributes or {})["specspan.decision.verdict"] == "violated"


@pytest.mark.parametrize("sampled", [True, False])
def test_a_remote_parent_decides_for_chance(tracing: Callable[..., Tracing], sampled: bool) -> None:
    """What it sampled is exported, what it did not is only when it is worth keeping, whatever the ratio."""
    made = tracing(Sampling(0.0 if sampled else 1.0))
    remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(int(sampled)))
    made.tracer.start_span("served", below(NonRecordingSpan(remote))).end()
    assert made.exported == (["served"] if sampled else [])
    made.tracer.start_span("bad", below(NonRecordingSpan(remote)), attributes=VIOLATED).end()
    assert made.exported[-1] == "bad"


def test_late_spans_of_a_kept_trace_are_kept(tracing: Callable[..., Tracing]) -> None:
    """A span that starts after the root of its kept trace ended follows it."""
    made = tracing()
    root = made.tracer.start_span("root", attributes=VIOLATED)
    root.end()
    made.tracer.start_span("late", below(root)).end()
    assert made.exported == ["root", "late"]


def test_a_trace_that_outlives_its_root_is_still_whole(tracing: Callable[..., Tracing]) -> None:
    """As long as any of its spans is open, a violation keeps all that ended before."""
    made = tracing()
    root = made.tracer.start_span("root")
    stream = made.tracer.start_span("stream", below(root))
    root.end()
    stream.set_attributes(VIOLATED)
    stream.end()
    assert made.exported == ["root", "stream"]


def test_a_pending_finding_is_waited_for(tracing: Callable[..., Tracing]) -> None:
    """A trace whose judge has yet to speak stays held after its end, and is kept whole when the finding is bad."""
    made = tracing()
    judged = made.tracer.start_span("judged", attributes=PENDING)
    judged.end()
    made.tracer.start_span("fine", attributes=PENDING).end()
    made.tracer.start_span("finding", below(judged), attributes={"specspan.finding.outcome": "violated"}).end()
    assert made.exported == ["judged", "finding"]


def test_waiting_ends(tracing: Callable[..., Tracing]) -> None:
    """What never ends is let go after a while, counted, and kept in part if it is worth keeping after all."""
    now_s = [0.0]
    made = tracing(Sampling(0.0, max_age_s=60.0), now_s=lambda: now_s[0])
    made.tracer.start_span("judged", attributes=PENDING).end()
    root = made.tracer.start_span("root")
    made.tracer.start_span("child", below(root)).end()
    now_s[0] = 61.0
    made.trace()
    assert (made.held.size_bytes, made.lost) == (0, {("span", "too_old"): 1})
    root.set_attributes(VIOLATED)
    root.end()
    assert made.exported == ["root"]
    assert made.lost == {("span", "too_old"): 1, ("trace", "kept_in_part"): 1}


def test_memory_is_bounded_and_what_is_let_go_is_counted(tracing: Callable[..., Tracing]) -> None:
    """Spans beyond the bound push out the oldest trace: the bound holds at every moment, and every span is counted."""
    made = tracing(Sampling(0.0, max_bytes=200_000))
    roots = [made.tracer.start_span(f"root-{number}") for number in range(100)]
    for root in roots:
        made.tracer.start_span("child", below(root), attributes={"text": "x" * 10_000}).end()
        assert made.held.size_bytes <= 200_000
    lost = made.lost[("span", "memory")]
    assert 80 < lost < 100
    roots[-1].set_attributes(VIOLATED)
    roots[-1].end()
    assert made.exported == ["child", "root-99"], "the newest are still whole"
    roots[0].set_attributes(VIOLATED)
    roots[0].end()
    assert made.exported[2:] == ["root-0"]
    assert made.lost[("trace", "kept_in_part")] == 1


def test_spans_that_never_end_do_not_pile_up(tracing: Callable[..., Tracing]) -> None:
    """Started and forgotten, they stay within the bound as well."""
    made = tracing(Sampling(0.0, max_bytes=60_000))
    for _ in range(1_000):
        made.tracer.start_span("leaked")
    assert 0 < made.held.size_bytes <= 60_000


def test_shutdown_counts_what_nobody_decided(tracing: Callable[..., Tracing]) -> None:
    """Spans of a trace that is still open are let go and counted; what was kept is flushed before."""
    made = tracing()
    root = made.tracer.start_span("root")
    made.tracer.start_span("child", below(root)).end()
    made.trace(VIOLATED, name="bad")
    made.provider.force_flush()
    made.provider.shutdown()
    assert sorted(made.exported) == ["bad", "bad.0"]
    assert made.lost == {("span", "shutdown"): 1}
    root.end()
    assert made.held.size_bytes == 0


def test_threads_share_it(tracing: Callable[..., Tracing]) -> None:
    """Eight threads with traces of their own, one in ten bad: each bad one is whole and nothing else is there."""
    made = tracing()
    together = Barrier(8)

    def work(worker: int) -> None:
        together.wait()
        for number in range(50):
            made.trace({}, VIOLATED if number % 10 == 0 else {}, name=f"{worker}-{number}")

    threads = [Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    roots = {f"{worker}-{number}" for worker in range(8) for number in range(0, 50, 10)}
    assert sorted(made.exported) == sorted(name + end for name in roots for end in ("", ".0", ".1"))
    assert (made.held.size_bytes, made.lost) == (0, {})


def test_a_finaliser_may_end_a_span_at_any_time(tracing: Callable[..., Tracing]) -> None:
    """A span that the garbage collector ends while another is being held neither deadlocks nor is lost."""
    made = tracing()
    root = made.tracer.start_span("root")

    class Abandoned:
        def __init__(self) -> None:
            self.span = made.tracer.start_span("abandoned", below(root))
            self.itself = self

        def __del__(self) -> None:
            self.span.end()

    hold = made.held._hold

    def collecting(*args: Any) -> None:
        Abandoned()
        made.held._hold = hold  # type: ignore[method-assign]
        gc.collect()
        hold(*args)

    made.held._hold = collecting  # type: ignore[method-assign, assignment]
    made.tracer.start_span("child", below(root)).end()
    root.set_attributes(VIOLATED)
    root.end()
    assert sorted(made.exported) == ["abandoned", "child", "root"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_exports_nothing_of_its_parents(tracing: Callable[..., Tracing]) -> None:
    """What the parent holds stays the parent's, even if it forked while it held the lock; the child samples on."""
    made = tracing()
    root = made.tracer.start_span("root")
    made.tracer.start_span("child", below(root)).end()
    holding = Thread(target=made.processor._lock.acquire)
    holding.start()
    holding.join()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # a lock that nobody will let go of ends it
        made.trace(VIOLATED, name="bad")
        os._exit(0 if sorted(made.exported) == ["bad", "bad.0"] and made.held.size_bytes == 0 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    made.processor._lock = type(made.processor._lock)()
    root.set_attributes(VIOLATED)
    root.end()
    assert made.exported == ["child", "root"]


def test_the_sampler_behind_is_asked_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a ratio it is the one that OTEL_TRACES_SAMPLER names; what it drops is recorded and not sampled."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    sampler = RecordingSampler(head_sampler(None))
    result = sampler.should_sample(None, 1, "x", attributes={"a": 1})
    assert (result.decision, dict(result.attributes)) == (Decision.RECORD_ONLY, {"a": 1})
    assert sampler.get_description() == "RecordingSampler{AlwaysOffSampler}"


@pytest.mark.parametrize("wrong", [{"ratio": -0.1}, {"ratio": 1.5}, {"max_bytes": 0}, {"max_age_s": 0}])
def test_nonsense_is_refused(wrong: dict[str, Any]) -> None:
    """A share beyond 0 to 1, and bounds that hold nothing."""
    with pytest.raises(ValueError, match="give"):
        Sampling(**wrong)
