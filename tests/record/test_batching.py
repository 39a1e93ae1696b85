"""Queues and threads: nothing is lost uncounted, and putting never waits."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from specspan._support import drop_counts
from specspan.record.batching import BatchWorker


class Losses(Counter[tuple[str, str]]):
    """What was lost since the test began."""


@pytest.fixture
def lost() -> Iterator[Losses]:
    counted = Losses()
    lock = threading.Lock()

    def add(what: str, reason: str, count: int) -> None:
        with lock:
            counted[what, reason] += count

    stop = drop_counts.watch(add)
    yield counted
    stop()


def test_items_are_written_in_order_and_in_batches() -> None:
    """What is put comes out once, in order, in batches no larger than asked for."""
    batches: list[list[int]] = []
    worker = BatchWorker[int]("test", lambda batch: batches.append(list(batch)), batch_size=4, interval_s=60)
    for number in range(10):
        worker.put(number)
    worker.shutdown(10)
    assert [number for batch in batches for number in batch] == list(range(10))
    assert max(map(len, batches)) <= 4


def test_a_full_batch_is_written_without_being_asked_for() -> None:
    """As many items as make a batch wake the thread before its interval is over."""
    written = threading.Event()
    worker = BatchWorker[int]("test", lambda _: written.set(), batch_size=3, interval_s=60)
    for number in range(3):
        worker.put(number)
    assert written.wait(10)
    worker.shutdown(10)


def test_a_few_items_are_written_when_the_interval_is_over() -> None:
    """A batch that does not fill is written all the same."""
    written = threading.Event()
    worker = BatchWorker[int]("test", lambda _: written.set(), interval_s=0.001)
    worker.put(1)
    assert written.wait(10)
    worker.shutdown(10)


def test_a_flush_waits_for_what_was_put_before_it() -> None:
    """After a flush everything put before it has been written, long before the interval is over."""
    found: list[int] = []
    worker = BatchWorker[int]("test", found.extend, interval_s=60)
    for number in range(3):
        worker.put(number)
        assert worker.flush().wait(10)
        assert found == list(range(number + 1))
    worker.shutdown(10)


def test_a_flush_says_whether_what_was_there_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost in front of it, or is being written as it is asked for, makes it fail; what was lost before not."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    entered, go_on = threading.Event(), threading.Event()

    def write(batch: Sequence[int]) -> None:
        entered.set()
        assert go_on.wait(10)
        if 0 in batch:
            raise ValueError("broken")

    worker = BatchWorker[int]("test", write, batch_size=1, interval_s=60)
    worker.put(0)
    assert entered.wait(10)
    during = worker.flush()
    go_on.set()
    assert not during.wait(10)
    assert during.is_set()
    worker.put(1)
    assert worker.flush().wait(10)
    assert worker.flush().wait(10)
    worker.put(0)
    assert not worker.flush().wait(10)
    worker.shutdown(10)


def test_a_full_queue_drops_and_counts(lost: Losses) -> None:
    """While the consumer hangs the queue stays bounded: handed over = written + dropped, exactly."""
    entered, go_on = threading.Event(), threading.Event()
    found: list[int] = []

    def write(batch: Sequence[int]) -> None:
        entered.set()
        assert go_on.wait(10)
        found.extend(batch)

    worker = BatchWorker[int]("test", write, queue_size=5, batch_size=1, interval_s=60)
    worker.put(0)
    assert entered.wait(10)
    for number in range(1, 101):
        worker.put(number)
    assert worker.queue_length == 5
    go_on.set()
    worker.shutdown(10)
    assert found == list(range(6))
    assert lost == {("test", "queue_full"): 95}


def test_many_threads_lose_nothing_uncounted(lost: Losses) -> None:
    """From eight threads, with a queue far too small: handed over = written + dropped by reason, exactly."""
    written: Counter[int] = Counter()
    worker = BatchWorker[int]("test", written.update, queue_size=50, batch_size=10, interval_s=0.001)
    start = threading.Barrier(9)

    def put() -> None:
        start.wait(10)
        for number in range(2_000):
            worker.put(number)

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    start.wait(10)
    worker.shutdown(10)
    for thread in threads:
        thread.join()
    assert written.total() + lost.total() == 16_000
    assert {what for what, _ in lost} <= {"test"}
    assert worker.queue_length == 0


def test_a_failing_write_is_counted_and_the_lane_goes_on(lost: Losses, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch whose writing failed is lost and counted; the next one is written."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    found: list[int] = []

    def write(batch: Sequence[int]) -> None:
        if batch[0] == 0:
            raise ValueError("broken")
        found.extend(batch)

    worker = BatchWorker[int]("test", write, interval_s=60)
    for number in range(3):
        worker.put(number)
        worker.flush().wait(10)
    worker.shutdown(10)
    assert found == [1, 2]
    assert lost == {("test", "internal"): 1, ("internal", "record.test"): 1}


def test_what_hangs_at_the_end_is_given_up_and_counted(lost: Losses) -> None:
    """A shutdown does not wait longer than asked; what a hanging consumer held and what waited count as dropped."""
    entered, go_on = threading.Event(), threading.Event()

    def write(_: Sequence[int]) -> None:
        entered.set()
        go_on.wait(10)

    worker = BatchWorker[int]("test", write, batch_size=2, interval_s=60)
    for number in range(5):
        worker.put(number)
    assert entered.wait(10)
    worker.shutdown(0.01)
    go_on.set()
    assert lost == {("test", "shutdown"): 5}


def test_after_the_end_nothing_is_taken(lost: Losses) -> None:
    """An item put after shutdown is dropped and counted; a flush is over at once; a second shutdown does nothing."""
    closed: list[bool] = []
    worker = BatchWorker[int]("test", lambda _: None, on_close=lambda: closed.append(True))
    worker.shutdown(10)
    worker.put(1)
    assert worker.flush().is_set()
    worker.shutdown(10)
    assert closed == [True]
    assert lost == {("test", "shutdown"): 1}


def test_a_finaliser_may_put_while_the_same_thread_puts() -> None:
    """Abandoned work that the garbage collector ends in the middle of a put does not deadlock."""
    found: list[int] = []
    worker = BatchWorker[int]("test", found.extend, batch_size=1, interval_s=0.001)

    class Abandoned:
        def __init__(self) -> None:
            self.cycle = self

        def __del__(self) -> None:
            worker.put(-1)
            drop_counts.count("test_finaliser", "abandoned")

    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(200):
            Abandoned()
            worker.put(number)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    worker.shutdown(10)
    assert Counter(found)[-1] == 200
    assert [number for number in found if number >= 0] == list(range(200))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_writes_its_own_items_and_no_others() -> None:
    """What waited in the parent is written by the parent alone; the child has a thread of its own."""
    read_end, write_end = os.pipe()

    def write(batch: Sequence[str]) -> None:
        os.write(write_end, "".join(f"{os.getpid()}:{item}\n" for item in batch).encode())

    worker = BatchWorker[str]("test", write, interval_s=60)
    worker.put("parent")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            worker.put("child")
            status = 0 if worker.flush().wait(10) else 2
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    worker.shutdown(10)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        found = sorted(pipe.read().split())
    assert os.waitstatus_to_exitcode(status) == 0
    assert found == sorted([f"{child}:child", f"{os.getpid()}:parent"])
