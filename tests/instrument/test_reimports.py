"""Clients that are imported again: their calls are met, and what cannot be met is counted."""

from __future__ import annotations

import ast
import logging
import os
import subprocess
import sys
import textwrap
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from specspan._support import drop_counts
from specspan.instrument.reimports import ReimportFinder

PROGRAM = Path(__file__).parents[1] / "support" / "imported_again.py"


def test_a_client_that_is_imported_again_is_met(tmp_path: Path) -> None:
    """Purged, reloaded, under another name, and copied below another package; each call makes one span."""
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path)], capture_output=True, text=True, check=True)
    found: dict[str, int] = ast.literal_eval(done.stdout)
    assert found.pop("uninstrumented") == 0
    assert len(found) == 6
    assert set(found.values()) == {2}, found


class Unfollowed:
    """Loader that nothing can be set on, of a finder of its own."""

    __slots__ = ()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, cls()) if name == "some_client.methods" else None  # type: ignore[arg-type]


def test_what_cannot_be_met_is_counted_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The module is imported all the same."""
    finder = ReimportFinder(lambda name: None, lambda name, module: None)
    finder.watch("some_client.methods")
    monkeypatch.setattr(sys, "meta_path", [finder, Unfollowed])
    before = drop_counts.totals().get(("client", "imported_again"), 0)
    with caplog.at_level(logging.WARNING, "specspan"):
        for _ in range(2):
            assert isinstance(finder.find_spec("some_client.methods"), ModuleSpec)
    assert drop_counts.totals()["client", "imported_again"] == before + 2
    assert [each.getMessage().partition(" was ")[0] for each in caplog.records] == ["some_client.methods"]
    caplog.clear()


LAZY_CLIENT = {
    "__init__.py": """
        import threading
        LOOKED_AT, EXECUTES = threading.Event(), threading.Event()
        def __getattr__(name):
            LOOKED_AT.set()
            from lazy_client.methods import Client
            return Client
    """,
    "methods.py": """
        import lazy_client
        class Client:
            def ask(self): ...
        lazy_client.EXECUTES.set()
        if hasattr(lazy_client, "waits"):
            lazy_client.LOOKED_AT.wait(60)
    """,
}
IN_TWO_THREADS = """
    import faulthandler, importlib, sys, threading
    faulthandler.dump_traceback_later(60, exit=True)
    from specspan.call import Request
    from specspan.instrument import install
    from specspan.instrument.adapter import Adapter
    from specspan.instrument.patches import is_replaced

    places = ("lazy_client:Client.ask", "lazy_client.methods:Client.ask")
    unread = lambda _: Request("lazy")
    adapter = Adapter("lazy", *[unread] * 4, package="lazy_client", install="lazy_client", methods=places)
    install._registered = lambda: iter([("lazy", (adapter,))])
    install.instrument("lazy")
    import lazy_client

    lazy_client.waits = True
    del sys.modules["lazy_client.methods"], lazy_client.methods
    lazy_client.EXECUTES.clear(), lazy_client.LOOKED_AT.clear()
    spec, looking, executes = lazy_client.__spec__, lazy_client.LOOKED_AT, lazy_client.EXECUTES
    other = threading.Thread(target=importlib.import_module, args=["lazy_client.methods"], daemon=True)
    other.start()
    executes.wait(60)
    install._meet_again("lazy_client", lazy_client)
    other.join()
    assert is_replaced(vars(sys.modules["lazy_client.methods"].Client)["ask"])
"""


def run_program(program: str, folder: Path) -> None:
    """Run a program in a process of its own, which ends with an error where it does not come to its end."""
    path = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    environ = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_two_threads_import_a_client_at_once(tmp_path: Path) -> None:
    """One looks at a module that imports another, which is being imported by a thread that is to be met as well."""
    (tmp_path / "lazy_client").mkdir()
    for name, text in LAZY_CLIENT.items():
        (tmp_path / "lazy_client" / name).write_text(textwrap.dedent(text), encoding="utf-8")
    run_program(IN_TWO_THREADS, tmp_path)


IN_MANY_THREADS = """
    import contextlib, faulthandler, importlib, sys, threading
    faulthandler.dump_traceback_later(120, exit=True)
    import specspan
    from specspan.instrument.patches import is_replaced

    MODULES = ("groq.resources.chat.completions", "ollama._client", "groq", "ollama")
    failed = []
    threading.excepthook = failed.append

    def import_again(name, turns):
        for _ in range(turns):
            sys.modules.pop(name, None)
            with contextlib.suppress(KeyError):  # importlib's own, where the other thread drops it meanwhile
                importlib.import_module(name)

    specspan.instrument()
    for name in MODULES:
        importlib.import_module(name)
    leafs = MODULES[:2]
    threads = [threading.Thread(target=import_again, args=(name, 30), daemon=True) for name in leafs * 2]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        specspan.instrument("groq", "ollama")
    for thread in threads:
        thread.join()
    assert not failed, failed
    for name in leafs:
        importlib.import_module(name)
    assert is_replaced(vars(sys.modules[leafs[0]].Completions)["create"])
    assert is_replaced(vars(sys.modules[leafs[1]].Client)["chat"])
    specspan.uninstrument()
    assert not is_replaced(vars(sys.modules[leafs[0]].Completions)["create"])
    assert not is_replaced(vars(sys.modules[leafs[1]].Client)["chat"])
"""


@pytest.mark.thorough
def test_many_threads_import_clients_while_another_instruments(tmp_path: Path) -> None:
    """None waits for another for ever, and the newest module of each client is met."""
    run_program(IN_MANY_THREADS, tmp_path)


@pytest.mark.thorough
def test_a_method_that_a_version_never_had_is_not_missed_in_it(tmp_path: Path) -> None:
    """A module without some of the methods that other versions have is met again as it was met before."""
    program = """
        import sys
        import specspan
        from specspan._support import drop_counts
        from specspan.instrument.patches import is_replaced

        specspan.instrument("openai")
        for name in [name for name in sys.modules if name.partition(".")[0] == "openai"]:
            del sys.modules[name]
        from openai.resources.beta.responses.responses import Responses

        assert is_replaced(vars(Responses)["create"])
        assert "parse" not in vars(Responses), "another method that is absent is to be found for this test"
        assert drop_counts.totals() == {}
    """
    run_program(program, tmp_path)
