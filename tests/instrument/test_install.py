"""`instrument` and `uninstrument`: what is wrapped, once, and put back exactly."""

from __future__ import annotations

import importlib.util
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import wrapt
from ended_spans import Spans
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.embeddings import AsyncEmbeddings, Embeddings
from openai.resources.responses import AsyncResponses, Responses
from openai_wire import Wire, ask_sync, completion

import specspan
from specspan._support import plugins
from specspan.call import Message, Request, Response, Text
from specspan.errors import ConfigurationError, MissingDependency
from specspan.instrument import install
from specspan.instrument.adapter import Adapter, Streaming
from specspan.instrument.patches import is_replaced

CLASSES = (Completions, AsyncCompletions, Responses, AsyncResponses)
METHODS = [
    *((owner, method) for owner in CLASSES for method in ("create", "parse")),
    *((owner, "create") for owner in (Embeddings, AsyncEmbeddings)),
]


@pytest.fixture(autouse=True)
def uninstrumented() -> Iterator[None]:
    yield
    specspan.uninstrument()


def originals() -> list[Any]:
    return [vars(owner)[method] for owner, method in METHODS]


def test_methods_are_wrapped_once_and_put_back() -> None:
    """Instrumenting twice is instrumenting once, and undoing it leaves the very same functions."""
    before = originals()
    specspan.instrument("openai")
    wrapped = originals()
    specspan.instrument()
    assert originals() == wrapped
    assert all(is_replaced(each) for each in wrapped)
    specspan.uninstrument()
    specspan.uninstrument()
    assert all(after is function for after, function in zip(originals(), before, strict=True))


def test_the_methods_look_as_they_did() -> None:
    """Signatures and kinds stay those of the client's methods."""
    before = [(inspect.signature(each), inspect.iscoroutinefunction(inspect.unwrap(each))) for each in originals()]
    specspan.instrument("openai")
    assert [
        (inspect.signature(each), inspect.iscoroutinefunction(inspect.unwrap(each))) for each in originals()
    ] == before


IMPORTS_LATER = """
import sys
import specspan

specspan.instrument()
specspan.instrument()
loaded = [name for name in ("openai", "anthropic", "botocore", "google.genai", "langchain_core") if name in sys.modules]
import openai
from openai.resources.chat.completions import Completions

from specspan.instrument.patches import is_replaced

is_met = is_replaced(vars(Completions)["create"])
specspan.uninstrument()
import anthropic
from anthropic.resources.messages import Messages

print(loaded, is_met, is_replaced(vars(Messages)["create"]))
"""


@pytest.mark.thorough
def test_without_names_a_client_is_met_when_it_is_imported() -> None:
    """Nothing is loaded that the application does not use; once undone, nothing imported later is met."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_LATER], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split("\n")[0] == "[] True False"


FORKS_MEANWHILE = """
import os
import signal
import threading

from openai.resources.chat.completions import Completions

import specspan
from specspan.instrument import install
from specspan.instrument.patches import is_replaced

before, share_spans = vars(Completions)["create"], install.share_spans
is_held, may_go_on = threading.Event(), threading.Event()


def share_slowly():
    is_held.set()
    may_go_on.wait()
    return share_spans()


install.share_spans = share_slowly  # called with the lock held
thread = threading.Thread(target=specspan.instrument, args=("openai",))
thread.start()
is_held.wait()
child = os.fork()
if not child:
    signal.alarm(60)  # ends a child that waits for a thread which it does not have
    install.share_spans = share_spans
    specspan.instrument("openai")
    is_met = is_replaced(vars(Completions)["create"])
    specspan.uninstrument()
    os._exit(0 if is_met and vars(Completions)["create"] is before else 1)
status = os.waitpid(child, 0)[1]
may_go_on.set()
thread.join()
print(os.waitstatus_to_exitcode(status), is_replaced(vars(Completions)["create"]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.thorough
def test_a_child_forked_while_another_thread_instruments() -> None:
    """It instruments and undoes by itself; the thread of the parent goes on undisturbed."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS_MEANWHILE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == "0 True\n"


def around(function: Any) -> Any:
    return wrapt.FunctionWrapper(function, lambda wrapped, _, args, kwargs: wrapped(*args, **kwargs))


def test_wrapped_again_by_somebody_else(spans: Spans) -> None:
    """What another instrumentation put around ours is left in place; ours is out of work all the same."""
    original = vars(Completions)["create"]
    specspan.instrument("openai")
    others = around(vars(Completions)["create"])
    Completions.create = others  # type: ignore[method-assign]  # as instrumentations do
    try:
        specspan.uninstrument()
        assert vars(Completions)["create"] is others
        assert ask_sync(Wire(completion())).id == "chatcmpl-1"
        assert spans.all == ()
    finally:
        Completions.create = original  # type: ignore[method-assign]


def test_a_client_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name it is refused with the line that installs it; otherwise it is passed by."""
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(install, "find_spec", lambda name: None if name == "openai" else find_spec(name))
    before = originals()
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[openai\]'"):
        specspan.instrument("openai")
    specspan.instrument()
    assert originals() == before


def test_an_unknown_provider() -> None:
    """A name that is no provider's is refused with the nearest one, or with all there are."""
    with pytest.raises(ConfigurationError, match=r"unknown provider 'opanai'\. Did you mean 'openai'\?"):
        specspan.instrument("opanai")
    with pytest.raises(ConfigurationError, match=r"There are: .*openai"):
        specspan.instrument("zzz")


class Oracle:
    """A client of somebody else's."""

    def consult(self, question: str) -> str:
        return f"{question} is well"


class Accumulates:
    finished = True

    def add(self, chunk: Any) -> None: ...

    def result(self) -> str:
        return ""


def test_a_provider_of_somebody_elses(spans: Spans, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other distributions register providers; methods their client does not have are skipped."""
    adapter = Adapter(
        provider="oracle",
        request=lambda call: Request("oracle", model="delphi", input=(Message("user", (Text(call.args[0]),)),)),
        response=lambda answer: Response(output=(Message("assistant", (Text(answer),)),)),
        edit_request=lambda call, edits: call,
        edit_response=lambda answer, edits: answer,
        methods=(
            f"{__name__}:Oracle.consult",
            f"{__name__}:Oracle.foretell",
            f"{__name__}:Augur.consult",
            "no_such_module:Oracle.consult",
        ),
        streaming=Streaming(
            accumulator=lambda request: Accumulates(),
            deltas=lambda chunk: (),
            cut=lambda chunk, choice, text: chunk,
            find_stream=lambda answer: None,
        ),
    )
    plugin = ModuleType("plugin")
    plugin.ADAPTERS = (adapter,)  # type: ignore[attr-defined]
    monkeypatch.setattr(plugins, "iter_plugins", lambda group: iter([("oracle", plugin)]))
    monkeypatch.setitem(__import__("sys").modules, __name__, inspect.getmodule(Oracle) or plugin)
    specspan.instrument("oracle")
    assert Oracle().consult("all") == "all is well"
    assert spans.names == ["chat delphi"]
