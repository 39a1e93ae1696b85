"""Hooks into the life of the process: after a fork, at its end, and the undoing of changes to it.

Every part of specspan that outlives a fork or has work left at exit registers here. The interpreter itself is told
once: one `os.register_at_fork`, one `atexit` function, one hook of `multiprocessing` and of its copy `billiard`, and
one of Celery, each when it is first needed.
"""

from __future__ import annotations

import atexit
import functools
import itertools
import logging
import os
import platform
import sys
import threading
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakValueDictionary

_log = logging.getLogger("specspan")
_numbers = itertools.count()
_LAST = -100
"""Priority of our `multiprocessing` finaliser: after the finalisers of others, which may still make calls."""
_MULTIPROCESSING = ("multiprocessing", "billiard")
_MAIN_PROCESS = "MainProcess"  # of billiard, which has no `parent_process`


class ForkAware(Protocol):
    """Object with locks, threads or queues that a forked child must not inherit."""

    def after_fork(self) -> None:
        """Replace them, in the child: the parent's threads are gone, and one may have held the locks."""


class ForkedLock:
    """Reentrant lock that a forked child has anew, whoever held it in the parent."""

    __slots__ = ("__weakref__", "held")

    def __init__(self) -> None:
        self.after_fork()
        after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock. What is under way on the thread that forked gives back the one that it took."""
        self.held = threading.RLock()
        """The lock, for one ``with``."""


class Undo:
    """Reversal of changes to the process, made at most once; the last change is reversed first."""

    __slots__ = ("_steps", "is_done")

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)
        self.is_done = False
        """True once the changes are reversed; what cannot be taken away asks for it and stands aside."""

    def add(self, step: Callable[[], object]) -> None:
        """Reverse one more change, before those added earlier."""
        self._steps.append(step)

    def __call__(self) -> None:
        """Take away every change, the latest first."""
        self.is_done = True
        while self._steps:
            self._steps.pop()()


_fork_aware: WeakValueDictionary[int, ForkAware] = WeakValueDictionary()
_exit_functions: dict[int, Callable[[], object]] = {}


def after_fork(obj: ForkAware) -> None:
    """Call ``obj.after_fork()`` in every forked child while ``obj`` lives, in the order of registration."""
    _fork_aware[next(_numbers)] = obj
    _hook_fork()


def at_exit(function: Callable[[], object]) -> Undo:
    """Call ``function`` when the process ends, the last one registered first. Return the undo of it.

    Processes that `multiprocessing` or Celery start end by `os._exit`, which skips `atexit`; `function` is called
    there, too.
    """
    number = next(_numbers)
    _exit_functions[number] = function
    _hook_exit()
    _hook_fork()
    _hook_children()
    return Undo(lambda: _exit_functions.pop(number, None))


def process_identity() -> dict[str, str | int]:
    """Return the host and the number of this process, by which another one can tell whether it lives."""
    pid = os.getpid()
    if pid not in _identity:
        _identity.clear()
        _identity[pid] = {"host": platform.node(), "pid": pid}
    return _identity[pid]


_identity: dict[int, dict[str, str | int]] = {}


def ends_without_atexit() -> bool:
    """Return whether this is a process of `multiprocessing` or of Celery, which may end by `os._exit`."""
    return any(map(_is_child, _MULTIPROCESSING))


def _is_child(package: str) -> bool:
    """Return whether this process was started by `multiprocessing`, or by `billiard`."""
    module = sys.modules.get(f"{package}.process")
    if module is None:
        return False
    if hasattr(module, "parent_process"):
        return module.parent_process() is not None
    return bool(module.current_process().name != _MAIN_PROCESS)


@functools.cache
def _hook_fork() -> None:
    if hasattr(os, "register_at_fork"):  # not on Windows
        os.register_at_fork(after_in_child=_after_fork_in_child)


@functools.cache
def _hook_exit() -> None:
    atexit.register(_run_exit_functions)


def _hook_children() -> None:
    """Have the exit functions called in processes that end by `os._exit`, by packages that the application imported."""
    for package in _MULTIPROCESSING:
        util = sys.modules.get(f"{package}.util")
        if util is not None:
            _finalize_children(util)
            if _is_child(package):
                _finalize_this(util)
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        _hook_celery(signals)


@functools.cache
def _hook_celery(signals: Any) -> None:
    # processes of its pool skip the finalisers, too; this is the last that they do
    signals.worker_process_shutdown.connect(_end_celery_process)


def _end_celery_process(**_: Any) -> None:
    _run_exit_functions()


@functools.cache
def _finalize_children(util: Any) -> None:
    # every child forgets the finalisers that were registered before it began
    util.register_after_fork(_run_exit_functions, lambda _: _finalize_this(util))


def _finalize_this(util: Any) -> None:
    util.Finalize(None, _run_exit_functions, exitpriority=_LAST)


def _after_fork_in_child() -> None:
    for obj in list(_fork_aware.values()):
        try:
            obj.after_fork()
        except Exception:  # the others must have their locks renewed all the same
            _log.exception("specspan failed to renew %s in a forked process", type(obj).__qualname__)
    if _exit_functions:
        _hook_children()


def _run_exit_functions() -> None:
    while _exit_functions:
        _, function = _exit_functions.popitem()
        try:
            function()
        except Exception:  # the others must be called all the same
            _log.exception(
                "specspan failed in %s at the end of the process", getattr(function, "__qualname__", function)
            )
