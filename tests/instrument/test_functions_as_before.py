"""What is asked of a replaced function is answered as without specspan: two processes give the same answers."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from identity_questions import QUESTIONS
from observed_functions import FUNCTIONS
from thorough import is_thorough

import specspan

SUPPORT = Path(__file__).parents[1] / "support"
Answers = dict[str, dict[str, str]]

DIFFERENT = {
    "inspect.getfullargspec": "does not look through decorators",
    "wrapped": "the one attribute that is added, as by functools.wraps",
    "code": "is that of the function that calls it",
    "defaults": "go with the code",
}
"""Questions whose answers differ, each with its reason; docs/instrumentation.md says so, too."""
DIFFERENT_OF_STAND_INS = {
    "exact type",
    "with",
    "iter",
    "len",
    "create_autospec",
    "patched",
    "pickle",
    "pickle in Python",
}
"""Questions about what is no plain function whose answers may differ: its type, and the messages that name that."""
DIFFERENT_OF_C_FUNCTIONS = {"cloudpickle"}
"""Questions about decorated C functions whose answers differ: their name leads to the original."""
DIFFERENT_WHERE_IMPORTED = {"pickle", "pickle in Python", "joblib.hash"}
"""Questions about functions that are replaced in a module that imported them: their name leads to the original."""
QUICK = ("openai",)
"""Clients whose functions are asked about in a quick run."""
NO_FUNCTIONS = ("generator", "async_generator", "partial", "cached", "c_function", "_stream_with", "Pregel")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Answers], dict[str, Answers]]:
    """Return the answers without specspan, and with it."""
    folder = tmp_path_factory.mktemp("answers")
    files = folder / "without.json", folder / "with.json"
    path = os.pathsep.join((str(SUPPORT), os.environ.get("PYTHONPATH", "")))
    only = {} if is_thorough() else {"IDENTITY_ONLY": ",".join(QUICK)}
    command = [sys.executable, "-W", "ignore", str(SUPPORT / "identity_questions.py"), *map(str, files)]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": path, **only}, check=True)
    before, after = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    return before, after


def differences(question: str, before: Answers, after: Answers) -> dict[str, tuple[str, str]]:
    """Return the places where a question has another answer than before."""
    found = {}
    for place in before.keys() & after.keys():
        known = set(DIFFERENT)
        if any(name in place for name in NO_FUNCTIONS):
            known |= DIFFERENT_OF_STAND_INS
        if "c_function" in place:
            known |= DIFFERENT_OF_C_FUNCTIONS
        if place.startswith("openai_agents"):
            known |= DIFFERENT_WHERE_IMPORTED
        if question not in known and before[place].get(question) != after[place].get(question):
            found[place] = before[place].get(question, ""), after[place].get(question, "")
    return found


@pytest.mark.xdist_group("functions_as_before")
@pytest.mark.parametrize("question", [*QUESTIONS, "the same each time", "its function", "its object"])
def test_a_replaced_method_answers_as_the_clients_own(question: str, both: Any) -> None:
    """Of every provider and framework, on the class and bound to an instance."""
    before, after = both
    assert len(before["clients"]) > (60 if is_thorough() else 10)
    assert before["clients"].keys() == after["clients"].keys()
    assert differences(question, before["clients"], after["clients"]) == {}


@pytest.mark.xdist_group("functions_as_before")
@pytest.mark.parametrize("question", [*QUESTIONS, "as it stands in the class", "copied", "pickled"])
def test_a_decorated_function_answers_as_the_plain_one(question: str, both: Any) -> None:
    """Functions and methods of every kind, under every decorator."""
    before, after = both
    assert len(after["decorated"]) > 8 * len(FUNCTIONS)
    assert differences(question, before["decorated"], after["decorated"]) == {}


@pytest.mark.parametrize("pickler", ["pickle", "cloudpickle"])
def test_a_decorated_c_function_is_not_pickled(pickler: str) -> None:
    """What would arrive by its name is the plain one, which nothing observes."""
    with pytest.raises(pickle.PicklingError, match="not the same object"):
        importlib.import_module(pickler).dumps(specspan.observe(len))


@specspan.observe
def ask(number: int) -> float:
    """Fail where the number is zero."""
    return 1 / number


def test_a_traceback_shows_the_line_of_the_decorator() -> None:
    """The frame that makes the call is at the first line of the function that is called."""
    with pytest.raises(ZeroDivisionError) as raised:
        ask(0)
    frames = [(Path(each.path).name, each.lineno + 1) for each in raised.traceback if each.name == "ask"]
    first = ask.__code__.co_firstlineno
    assert frames == [(Path(__file__).name, first), (Path(__file__).name, first + 3)]
