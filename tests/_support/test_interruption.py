"""Interruptions of the application: exceptions of signal handlers, and those that other threads set."""

from __future__ import annotations

import functools
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from specspan._support.guard import contain, guard
from specspan._support.interruption import interruption_behind, is_interruption, raise_interruption


class TimeIsUp(Exception):
    """Time limit of an application."""


def in_function(number: int, frame: FrameType | None) -> None:
    raise TimeIsUp


def with_any_arguments(*_: Any) -> None:
    in_helper()


def in_helper() -> None:
    raise TimeIsUp


def once(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise TimeIsUp


def once_with_any_arguments(*arguments: Any) -> None:
    signal.signal(arguments[0], signal.SIG_DFL)
    in_helper()


class Limit:
    """Handler with a state."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        raise TimeIsUp

    def reached(self, number: int, frame: FrameType | None) -> None:
        raise TimeIsUp


def with_name(name: str, number: int, frame: FrameType | None) -> None:
    raise TimeIsUp(name)


HANDLERS = [
    in_function,
    with_any_arguments,
    once,
    once_with_any_arguments,
    lambda number, frame: in_helper(),
    Limit(),
    Limit().reached,
    functools.partial(functools.partial(with_name), "limit"),
]


@pytest.fixture(autouse=True)
def handler_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


def error_of(work: Callable[[], object]) -> Exception:
    try:
        work()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("handler", HANDLERS, ids=range(len(HANDLERS)))
def test_what_a_handler_of_a_signal_raises_is_an_interruption(handler: Callable[..., None]) -> None:
    """Whatever kind of object handles the signal, and whether or not it still does."""
    signal.signal(signal.SIGUSR1, handler)
    assert is_interruption(error_of(lambda: signal.raise_signal(signal.SIGUSR1)))


def test_what_a_handler_contains_is_none() -> None:
    """A handler that raises nothing has no part in an error that comes after it."""
    signal.signal(signal.SIGUSR1, lambda number, frame: None)

    def fail() -> None:
        signal.raise_signal(signal.SIGUSR1)
        raise TimeIsUp

    assert not is_interruption(error_of(fail))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("rq.timeouts", "BaseTimeoutException"),
        ("billiard.exceptions", "SoftTimeLimitExceeded"),
        ("stopit.utils", "TimeoutException"),
        ("gevent.timeout", "Timeout"),
    ],
)
def test_what_other_threads_set_is_known_by_its_type(module: str, name: str) -> None:
    """Subclasses are known, too; a class of the same name in another module is not."""
    known = type(name, (Exception,), {"__module__": module})
    assert is_interruption(type("Own", (known,), {})())
    assert not is_interruption(type(name, (Exception,), {"__module__": "elsewhere"})())


def test_guards_let_interruptions_through() -> None:
    """Neither form of containment counts or holds an interruption; any other error, both hold."""
    signal.signal(signal.SIGUSR1, in_function)
    error = error_of(lambda: signal.raise_signal(signal.SIGUSR1))

    with pytest.raises(TimeIsUp), guard("place"):
        raise error
    with pytest.raises(TimeIsUp):
        contain("place", error)


class FailsAsItIsLeft:
    """Lock that an interruption took out of step."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        raise RuntimeError


def test_an_error_on_the_way_of_an_interruption_does_not_hide_it() -> None:
    """What fails because the interruption leaves a block is not raised in its place."""
    signal.signal(signal.SIGUSR1, in_function)

    def interrupted_in_block() -> None:
        with FailsAsItIsLeft():
            signal.raise_signal(signal.SIGUSR1)

    error = error_of(interrupted_in_block)
    assert isinstance(error, RuntimeError)
    assert isinstance(interruption_behind(error), TimeIsUp)
    with pytest.raises(TimeIsUp):
        raise_interruption(error)


def test_an_interruption_that_somebody_handles_is_not_raised_again() -> None:
    """Of what fails while the application handles its time limit, the limit is no part."""
    signal.signal(signal.SIGUSR1, in_function)

    def fail() -> None:
        raise RuntimeError

    error: Exception = AssertionError()
    try:
        signal.raise_signal(signal.SIGUSR1)
    except TimeIsUp:
        error = error_of(fail)
    assert isinstance(error.__context__, TimeIsUp)
    assert interruption_behind(error) is None
