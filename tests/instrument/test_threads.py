"""What `context` and `override` say, and the current span, wherever the work inside them is done."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
import pytest

import specspan
from specspan.instrument.context import current_context, current_overrides
from specspan.testing import recorded


@pytest.fixture
def carried() -> Iterator[None]:
    specspan.instrument("threading")
    yield
    specspan.uninstrument()


def said() -> tuple[str | None, int]:
    return current_context().conversation, len(current_overrides())


class OwnThread(threading.Thread):
    """One whose class does the work itself."""

    found: Any = None

    def run(self) -> None:
        self.found = said()


def in_a_thread(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def in_a_timer(work: Callable[[], Any]) -> Any:
    found: list[Any] = []
    timer = threading.Timer(0, lambda: found.append(work()))
    timer.start()
    timer.join()
    return found[0]


def in_a_class_of_its_own(_: Callable[[], Any]) -> Any:
    thread = OwnThread()
    thread.start()
    thread.join()
    assert "run" not in vars(thread), "the thread is as its class made it"
    return thread.found


def in_a_pool(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def mapped(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return next(iter(pool.map(lambda _: work(), [1])))


def in_an_executor_of_the_loop(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work)

    return asyncio.run(main())


def in_a_task_and_its_thread(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        return await asyncio.create_task(asyncio.to_thread(work))

    return asyncio.run(main())


def in_a_gathered_task(work: Callable[[], Any]) -> Any:
    async def task() -> Any:
        return work()

    async def main() -> Any:
        return (await asyncio.gather(task(), task()))[1]

    return asyncio.run(main())


def in_a_callback_of_the_loop(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: future.set_result(work()))
        return await future

    return asyncio.run(main())


def in_a_group_of_anyio(work: Callable[[], Any]) -> Any:
    found: list[Any] = []

    async def task() -> None:
        await anyio.lowlevel.checkpoint()
        found.append(await anyio.to_thread.run_sync(lambda: anyio.from_thread.run_sync(work)))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(task)

    anyio.run(main)
    return found[0]


def in_a_copy_of_the_context(work: Callable[[], Any]) -> Any:
    return copy_context().run(work)


def in_a_generator(work: Callable[[], Any]) -> Any:
    def body() -> Iterator[Any]:
        yield None
        yield work()

    return list(body())[1]


def in_an_async_generator(work: Callable[[], Any]) -> Any:
    async def body() -> AsyncIterator[Any]:
        yield None
        await asyncio.sleep(0)
        yield work()

    async def main() -> Any:
        return [each async for each in body()][1]

    return asyncio.run(main())


def in_a_task_group(work: Callable[[], Any]) -> Any:
    groups: Any = getattr(asyncio, "TaskGroup", None)
    if groups is None:
        pytest.skip("asyncio has task groups from Python 3.11 on")

    async def task() -> Any:
        await asyncio.sleep(0)
        return work()

    async def main() -> Any:
        async with groups() as group:
            made = group.create_task(task())
        return made.result()

    return asyncio.run(main())


def in_a_callback_of_a_future(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        first, then = loop.create_future(), loop.create_future()
        first.add_done_callback(lambda _: then.set_result(work()))
        copy_context().run(loop.call_later, 0, first.set_result, None)
        return await then

    return asyncio.run(main())


def in_a_callback_that_a_thread_asks_for(work: Callable[[], Any]) -> Any:
    async def main() -> Any:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(lambda: future.set_result(work())))
        thread.start()
        return await future

    return asyncio.run(main())


PLACES = [
    in_a_thread,
    in_a_timer,
    in_a_class_of_its_own,
    in_a_pool,
    mapped,
    in_an_executor_of_the_loop,
    in_a_task_and_its_thread,
    in_a_gathered_task,
    in_a_callback_of_the_loop,
    in_a_group_of_anyio,
    in_a_copy_of_the_context,
    in_a_generator,
    in_an_async_generator,
    in_a_task_group,
    in_a_callback_of_a_future,
    in_a_callback_that_a_thread_asks_for,
]


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_what_is_said_holds_wherever_the_work_is_done(place: Callable[[Callable[[], Any]], Any]) -> None:
    """Facts and overrides reach work in threads, pools, tasks, groups, callbacks, copies and generators."""
    with specspan.context(conversation="c-9"), specspan.override("kind", by="user", reason="asked"):
        assert place(said) == ("c-9", 1)


@pytest.mark.usefixtures("carried")
@pytest.mark.parametrize("place", [in_a_thread, in_a_pool, in_a_group_of_anyio], ids=lambda place: place.__name__)
def test_a_call_in_a_thread_is_below_the_span_around_it(place: Callable[[Callable[[], Any]], Any]) -> None:
    """One trace: the span of a call has the span as its parent in which its thread was given the work."""

    @specspan.observe(model="parrot", provider="local")
    def ask() -> str:
        return "hello"

    @specspan.observe
    def outer() -> str:
        found: str = place(ask)
        return found

    with recorded() as found:
        outer()

    call, around = found.spans
    assert call.parent is not None
    assert around.context is not None
    assert call.parent.span_id == around.context.span_id


@pytest.mark.usefixtures("carried")
def test_a_pool_keeps_nothing_of_what_was_said_to_it_before() -> None:
    """Its threads are started inside one block and go on after it: what was declared there does not hold for others."""
    with ThreadPoolExecutor(1) as pool:
        with specspan.context(conversation="c-9"), specspan.override("kind", by="user", reason="asked"):
            pool.submit(said).result()

        assert pool.submit(said).result() == (None, 0)
        assert pool.submit(copy_context().run, said).result() == (None, 0)


@pytest.mark.usefixtures("carried")
def test_threads_of_specspan_itself_carry_nothing() -> None:
    """A thread that serves every call is started in one, and holds nothing of what was said about it."""
    found: list[Any] = []
    with specspan.context(conversation="c-9"):
        thread = threading.Thread(target=lambda: found.append(said()), name="specspan-something")
        thread.start()
        thread.join()

    assert found == [(None, 0)]


@pytest.mark.usefixtures("carried")
def test_a_thread_that_cannot_be_started_is_as_it_was() -> None:
    """Started twice, it fails as ever, and runs what it was given."""
    thread = threading.Thread(target=lambda: None)
    thread.run = ran = lambda: None  # type: ignore[method-assign]  # as applications may
    thread.start()
    thread.join()
    with specspan.context(conversation="c-9"), pytest.raises(RuntimeError, match="once"):
        thread.start()

    assert thread.run is ran


@pytest.mark.usefixtures("carried")
def test_the_applications_own_variables_are_not_carried() -> None:
    """An application sees in its threads what it would have seen."""
    own: ContextVar[str] = ContextVar("own", default="unset")
    own.set("set")

    with specspan.context(conversation="c-9"):
        assert in_a_thread(own.get) == copied_by_python(own)
        assert in_a_pool(own.get) == copied_by_python(own)


def copied_by_python(variable: ContextVar[str]) -> str:
    """What a thread sees of a variable by itself: newer Pythons can be told to copy them."""
    inherits = getattr(sys.flags, "thread_inherit_context", False)
    return variable.get() if inherits else "unset"


@pytest.mark.usefixtures("carried")
def test_what_work_raises_is_raised_as_it_is() -> None:
    """A failure in a pool reaches whoever asked for the result."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result()


def test_undone_threads_carry_nothing_even_under_another_wrapper(monkeypatch: pytest.MonkeyPatch) -> None:
    """`uninstrument` restores the same functions; one that somebody wrapped meanwhile passes everything through."""
    originals = threading.Thread.start, ThreadPoolExecutor.submit
    specspan.instrument("threading")
    ours = threading.Thread.start

    def theirs(self: threading.Thread) -> None:
        ours(self)

    monkeypatch.setattr(threading.Thread, "start", theirs)
    specspan.uninstrument()

    with specspan.context(conversation="c-9"):
        assert in_a_thread(said) == (None, 0)
    monkeypatch.setattr(threading.Thread, "start", originals[0])

    specspan.instrument("threading")
    specspan.uninstrument()
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == originals


GEVENT = """
from gevent import monkey

monkey.patch_all()
import threading
from concurrent.futures import ThreadPoolExecutor

import gevent
from gevent.pool import Pool

import specspan
from specspan.instrument.context import current_context

specspan.instrument("threading")
found = []


def note(*_):
    gevent.sleep(0)
    found.append(current_context().conversation)


def work(conversation):
    with specspan.context(conversation=conversation):
        gevent.spawn(note).join()
        Pool(2).map(note, [1])
        thread = threading.Thread(target=note)
        thread.start()
        thread.join()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(note).result()


gevent.joinall([gevent.spawn(work, "a"), gevent.spawn(work, "b")], raise_error=True)
note()
print(sorted(found[:-1], key=str), found[-1])
specspan.uninstrument()
found.clear()
with specspan.context(conversation="c"):
    gevent.spawn(note).join()
print(found)
"""


def test_what_is_said_holds_in_greenlets() -> None:
    """Under gevent's patches greenlets, pools and threads of two conversations at once keep them apart."""
    pytest.importorskip("gevent", reason="gevent is not built for this Python")
    done = subprocess.run([sys.executable, "-c", GEVENT], capture_output=True, text=True, check=False, timeout=60)

    assert done.stdout.splitlines() == [f"{['a'] * 4 + ['b'] * 4} None", "[None]"], done.stderr
