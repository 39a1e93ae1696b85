"""Interruptions of the application: exceptions that arrive in whatever code happens to run.

A handler of a signal may raise (a time limit of Celery or RQ, an own `signal.setitimer`), and so may another thread
or greenlet, in the one that is to be stopped. Such an exception is the application's, also where it arrives in
specspan or in a check on the caller's thread, and it is raised there. A handler is known by its frame in the
traceback. What another thread sets leaves no trace, so its types are known by name.
"""

from __future__ import annotations

import functools
import itertools
import signal
from collections.abc import Iterator
from types import CodeType, FrameType, TracebackType
from typing import Any

KNOWN_TYPES = frozenset(
    (
        "billiard.exceptions.SoftTimeLimitExceeded",  # Celery's, also in pools without signals
        "dramatiq.threading.Interrupt",
        "dramatiq.middleware.threading.Interrupt",
        "eventlet.timeout.Timeout",
        "func_timeout.exceptions.FunctionTimedOut",
        "gevent.timeout.Timeout",
        "greenlet.GreenletExit",
        "rq.timeouts.BaseTimeoutException",
        "stopit.utils.TimeoutException",
    )
)
"""Classes whose instances, and those of their subclasses, other threads and greenlets raise in the one they stop."""
_SIGNALS = tuple(signal.valid_signals())


def is_interruption(error: BaseException) -> bool:
    """Return True if ``error`` interrupted the code that it was raised in."""
    if any(f"{kind.__module__}.{kind.__qualname__}" in KNOWN_TYPES for kind in type(error).__mro__):
        return True
    return _comes_from_signal_handler(error.__traceback__)


def raise_interruption(error: BaseException) -> None:
    """Raise the interruption that ``error`` is, or that was on its way when ``error`` was raised.

    To be the first statement of a clause that would go on without what failed.
    """
    interruption = interruption_behind(error)
    if interruption is not None:
        raise interruption


def interruption_behind(error: BaseException) -> BaseException | None:
    """Return the interruption that ``error`` is, or that was on its way when ``error`` was raised; None without one.

    An interrupted `with` statement may fail as it is left, and that error hides the interruption. One that somebody
    handles, and calls more code meanwhile, is hidden in the same way, but has no frame in common with ``error``.
    """
    frames = frozenset(map(id, _frames(error.__traceback__)))
    seen: set[int] = set()
    hidden: BaseException | None = error
    while hidden is not None and id(hidden) not in seen:
        if is_interruption(hidden) and (
            hidden is error or not frames.isdisjoint(map(id, _frames(hidden.__traceback__)))
        ):
            return hidden
        seen.add(id(hidden))
        hidden = hidden.__context__
    return None


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _comes_from_signal_handler(traceback: TracebackType | None) -> bool:
    """Return True if a frame of a traceback is that of a signal's handler."""
    if traceback is None:
        return False
    handlers = _installed_handlers()
    caller: FrameType | None = None
    for frame in _frames(traceback):
        if frame.f_code in handlers or (caller is not None and _is_called_as_handler(frame, caller)):
            return True
        caller = frame
    return False


def _installed_handlers() -> frozenset[CodeType]:
    handlers = (signal.getsignal(number) for number in _SIGNALS)
    return frozenset(code for handler in handlers if callable(handler) and (code := _code_of(handler)) is not None)


def _code_of(handler: Any) -> CodeType | None:
    """Return the code of a function, a method, a partial or an object that is called; None if it is not Python's."""
    while isinstance(handler, functools.partial):
        handler = handler.func
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(vars(type(handler)).get("__call__"), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _is_called_as_handler(frame: FrameType, caller: FrameType) -> bool:
    """Return True if a frame was called with a signal and the frame that it interrupted.

    This is how a handler is known that is no longer installed, since it put back the one before.
    """
    code, values = frame.f_code, frame.f_locals
    positional = [values.get(name) for name in code.co_varnames[: code.co_argcount]]
    if code.co_flags & _HAS_VARARGS:
        positional += values.get(code.co_varnames[code.co_argcount + code.co_kwonlyargcount]) or ()
    return any(
        isinstance(number, int) and interrupted is caller for number, interrupted in itertools.pairwise(positional)
    )


_HAS_VARARGS = 0x04  # `inspect.CO_VARARGS`
