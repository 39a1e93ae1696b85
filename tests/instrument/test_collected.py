"""What ends because the garbage collector lets go of it leaves the context alone in which that happens."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ended_spans import ENDED_HERE, Spans

import specspan
from specspan.instrument.decorators import observe

MODEL = observe(model="parrot")
SOURCES = Path(specspan.__file__).parent


def words() -> Iterator[str]:
    yield "a"
    yield "b"


async def later() -> str:
    return "a"


def returned(function: Callable[[], Any]) -> Callable[[], Any]:
    def call() -> Any:
        return function()

    return call


def begun(generator: Any) -> Any:
    next(generator)
    return generator


LET_GO: dict[str, Callable[[], Any]] = {
    "generator": lambda: begun(observe(words)()),
    "model that is a generator": lambda: begun(MODEL(words)()),
    "model that returns a generator": lambda: begun(MODEL(returned(words))()),
    "model that returns an awaitable": MODEL(returned(later)),
    "generator in a cycle": lambda: cycle(begun(MODEL(words)())),
}


def cycle(each: Any) -> Any:
    around = [each]
    around.append(around)
    return around


@pytest.mark.parametrize("what", LET_GO)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_an_end_by_the_collector_sets_nothing_here(what: str, spans: Spans) -> None:
    let_go = LET_GO[what]()
    ENDED_HERE.set("nothing")
    del let_go
    gc.collect()
    assert len(spans.all) == 1
    assert ENDED_HERE.get() == "nothing"


def test_one_place_registers_what_is_done_then() -> None:
    """`specspan._support.collected`; the other forgets an entry of a dictionary."""
    users = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if "weakref.finalize(" in path.read_text(encoding="utf-8")
    }
    assert users == {"_support/collected.py", "bridges/processors.py"}


CRASHES = """
import contextvars, gc, sys
from specspan._support.collected import when_collected

variables = [contextvars.ContextVar(str(number)) for number in range(40)]
mine = contextvars.ContextVar("mine")


class Cycle:
    def __init__(self):
        self.me = self


def set_all():
    for each in variables:
        each.set(object())


set_all()
for turn in range(60):  # a collection at each allocation of a `set`, one after the other
    gc.collect()
    gc.disable()
    when_collected(Cycle(), set_all)
    variables[0].set(object())
    gc.set_threshold(gc.get_count()[0] + turn % 6)
    gc.enable()
    mine.set(turn)
    gc.set_threshold(700)
"""


def test_a_collection_in_the_middle_of_a_set() -> None:
    """Without the copy CPython before 3.12 crashes here."""
    overwritten_when_freed = os.environ | {"PYTHONMALLOC": "debug"}
    subprocess.run([sys.executable, "-c", CRASHES], check=True, timeout=60, env=overwritten_when_freed)
