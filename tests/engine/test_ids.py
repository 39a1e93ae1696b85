"""Decision ids."""

from __future__ import annotations

import os
import threading
import time
import uuid

import pytest

from specspan.engine.engine import uuid7


def test_an_id_is_a_uuid_of_version_7_made_now() -> None:
    """Version, variant and time stand where RFC 9562 puts them."""
    before_ms = time.time_ns() // 1_000_000
    text = uuid7()
    made = uuid.UUID(text)
    assert str(made) == text
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before_ms <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_ids_only_ever_grow() -> None:
    """However many are made in one millisecond, each is greater than the one before."""
    made = [uuid7() for _ in range(20_000)]
    assert made == sorted(set(made))


def test_ids_grow_when_the_clock_goes_backwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock set back does not set the ids back."""
    before = uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert uuid7() > before


def test_threads_never_get_the_same_id() -> None:
    """The ids of several threads are all different."""
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into.extend(uuid7() for _ in range(2_000))

    threads = [threading.Thread(target=make, args=(into,)) for into in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for into in made for each in into}) == 8_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_ids_of_its_own_even_when_the_lock_was_held() -> None:
    """A thread of the parent that held the lock while it forked does not stop the child."""
    read, write = os.pipe()
    with uuid7._lock:
        child = os.fork()
        if child == 0:
            try:
                os.write(write, uuid7().encode())
            finally:
                os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    assert uuid.UUID(theirs).version == 7
    assert theirs != uuid7()
