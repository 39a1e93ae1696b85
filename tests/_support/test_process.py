"""Hooks into the life of the process: each is called once, in order, whatever another does."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from specspan._support.process import Undo

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


def test_undo_reverses_each_change_once_the_last_first() -> None:
    """Called again, it does nothing; whether it was called can be asked."""
    steps: list[str] = []
    undo = Undo(lambda: steps.append("first"))
    undo.add(lambda: steps.append("second"))
    assert not undo.is_done
    undo()
    undo()
    assert (steps, undo.is_done) == (["second", "first"], True)
