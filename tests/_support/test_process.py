"""Hooks into the life of the process: each is called once, in order, whatever another does."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from specspan._support.process import Undo

SOURCES = Path(__file__).resolve().parents[2]
_SYNCHRONISED = ("Lock", "RLock", "Condition", "Event", "Semaphore")

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def run(program: str, folder: Path) -> list[str]:
    """Return the lines that a Python program prints, in a folder of its own."""
    (folder / "program.py").write_text(textwrap.dedent(program), encoding="utf-8")
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "program.py"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split("\n")[:-1]


def test_importing_specspan_registers_no_function_for_exit(tmp_path: Path) -> None:
    """An import alone leaves the process's end as it is."""
    program = """
        import atexit
        registered = []
        atexit.register = registered.append
        import specspan
        print([each for each in registered if each.__module__.startswith("specspan")])
        specspan.configure(tracer_provider=None, db="spans.db")
        specspan.configure(db="spans.db")
        print([each.__module__ for each in registered if each.__module__.startswith("specspan")])
    """
    assert run(program, tmp_path) == ["[]", "['specspan._support.process']"]


def test_exit_functions_are_called_last_one_first(tmp_path: Path) -> None:
    """One that fails, or that was taken back, leaves the others to be called."""
    program = """
        from specspan._support import process
        process.at_exit(lambda: print("first"))
        process.at_exit(lambda: 1 / 0)
        forgotten = process.at_exit(lambda: print("taken back"))
        process.at_exit(lambda: print("last"))
        forgotten()
    """
    assert run(program, tmp_path) == ["last", "first"]


@pytest.mark.parametrize("import_first", [True, False])
def test_exit_functions_are_called_in_processes_of_multiprocessing(tmp_path: Path, *, import_first: bool) -> None:
    """A child and its own child call each function once, whether multiprocessing was imported before or later."""
    program = f"""
        import os
        {"import multiprocessing.util" if import_first else ""}
        from specspan._support import process
        main = os.getpid()
        process.at_exit(lambda: print("main" if os.getpid() == main else "child", flush=True))

        def start(depth):
            import multiprocessing
            if depth:
                child = multiprocessing.get_context("fork").Process(target=start, args=(depth - 1,))
                child.start()
                child.join()

        start(2)
    """
    assert run(program, tmp_path) == ["child", "child", "main"]


def test_a_forked_child_renews_what_is_alive_in_order(tmp_path: Path) -> None:
    """Objects that are gone are not called, and one that fails harms no other."""
    program = """
        import os
        from specspan._support import process

        class Locked:
            def __init__(self, name):
                self.name = name
                process.after_fork(self)
            def after_fork(self):
                print(self.name, flush=True)
                if self.name == "failing":
                    raise ValueError

        one, failing, gone, other = map(Locked, ("one", "failing", "gone", "other"))
        del gone
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        print("parent")
    """
    assert run(program, tmp_path) == ["one", "failing", "other", "parent"]


def test_a_child_that_was_forked_while_threads_held_the_locks_waits_for_none(tmp_path: Path) -> None:
    """Budgets, spans under way and checks with a time limit go on in the child."""
    program = """
        import os, signal, threading
        from decimal import Decimal
        from specspan.bridges.processors import SpanMap
        from specspan.engine.workers import Batch
        from specspan.scope.narrowing import Budget
        from specspan.scope.scope import Cost

        budget, spans, batch = Budget(Cost(Decimal(5), "EUR")), SpanMap(9), Batch((), 60.0, lambda: None)
        are_held, may_end = threading.Event(), threading.Event()

        def hold():
            with budget._lock.held, spans._lock.held, batch._lock.held:
                are_held.set()
                may_end.wait()

        thread = threading.Thread(target=hold)
        thread.start()
        are_held.wait()
        child = os.fork()
        if not child:
            signal.alarm(20)  # ends a child that waits for a thread which it does not have
            budget.spend(Cost(Decimal(2), "EUR"))
            spans.setdefault((1, 2), dict)
            is_started = batch.start()
            os._exit(0 if is_started and (1, 2) in spans and budget.remaining.amount == 3 else 1)
        status = os.waitpid(child, 0)[1]
        may_end.set()
        thread.join()
        print(os.waitstatus_to_exitcode(status), budget.remaining.amount)
    """
    assert run(program, tmp_path) == ["0 5"]


def test_every_object_with_a_lock_renews_it_after_a_fork() -> None:
    """A class that makes a lock of its own says what a forked child has in its place."""
    files = [*(SOURCES / "src/specspan").rglob("*.py"), *(SOURCES / "exporters").glob("*/src/**/*.py")]
    keeping = [
        f"{path.stem}.{node.name}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if "testing" not in path.parts and isinstance(node, ast.ClassDef) and any(_locks(node)) and not _renews(node)
    ]
    assert sorted(keeping) == ["alarm.Alarm", "staging.StagingBuffer"]  # whose owners make another


def _locks(cls: ast.ClassDef) -> Iterator[bool]:
    """Yield for each attribute of an object whether a lock of ``threading`` is put into it."""
    for node in ast.walk(cls):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = ast.unparse(node.value.func).removeprefix("threading.")
            yield made in _SYNCHRONISED and any(isinstance(target, ast.Attribute) for target in node.targets)


def _renews(cls: ast.ClassDef) -> bool:
    return any(isinstance(node, ast.FunctionDef) and "after_fork" in node.name for node in cls.body)


def test_undo_reverses_each_change_once_the_last_first() -> None:
    """Called again, it does nothing; whether it was called can be asked."""
    steps: list[str] = []
    undo = Undo(lambda: steps.append("first"))
    undo.add(lambda: steps.append("second"))
    assert not undo.is_done
    undo()
    undo()
    assert (steps, undo.is_done) == (["second", "first"], True)
