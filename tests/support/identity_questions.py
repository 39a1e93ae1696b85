"""Questions that other libraries ask of a function, and a process that answers all of them and prints the answers.

A question is one line. Run as a program, the answers of a process with specspan and of one without are written as
JSON, by place and by question.
"""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import dataclasses
import functools
import importlib
import inspect
import io
import json
import os
import pickle
import re
import sys
import types
import typing
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import observed_functions
from observed_functions import FUNCTIONS, WITH, decorators, method_owner

SPECIAL = (
    *(
        "abs",
        "add",
        "aenter",
        "aexit",
        "aiter",
        "anext",
        "await",
        "bool",
        "bytes",
        "call",
        "complex",
        "contains",
        "copy",
    ),
    *("deepcopy", "delete", "delitem", "enter", "exit", "float", "fspath", "get", "getitem", "getnewargs", "getstate"),
    *(
        "hash",
        "index",
        "int",
        "invert",
        "iter",
        "len",
        "length_hint",
        "lt",
        "matmul",
        "missing",
        "next",
        "round",
        "set",
    ),
    *("setitem", "set_name"),
)
"""Names of special methods, without their underscores."""
ADDRESS = r"\b0x[0-9a-f]+"
"""Pattern of the address of an object, which is another in each process."""


@dataclasses.dataclass
class Holder:
    """Dataclass with a function in a field."""

    function: Any


def reader(function: Any) -> Any:
    """Return a function that describes itself by its signature."""
    return functools.partial(inspect.signature, function)


QUESTIONS: dict[str, Callable[[Any], Any]] = {
    "type": type,
    "exact type": lambda f: type(f) is types.FunctionType,
    "class": lambda f: f.__class__,
    "repr": repr,
    "str": str,
    "bool": bool,
    "callable": callable,
    "special methods": lambda f: [name for name in SPECIAL if hasattr(f, f"__{name}__")],
    "special methods of its type": lambda f: [name for name in SPECIAL if hasattr(type(f), f"__{name}__")],
    "name": lambda f: f.__name__,
    "qualified name": lambda f: f.__qualname__,
    "module": lambda f: f.__module__,
    "docstring": lambda f: f.__doc__,
    "annotations": lambda f: f.__annotations__,
    "globals": lambda f: f.__globals__["__name__"],
    "attributes": lambda f: sorted(set(vars(f)) - {"__wrapped__"}),
    "own attribute": lambda f: f.short_description,
    "attribute set": lambda f: (f.__setattr__("marked", 1), f.marked, f.__delattr__("marked")),
    "hash": lambda f: hash(f) == hash(f),
    "equal to itself": lambda f: f == f,
    "equal to another": lambda f: f == len,
    "weak reference": lambda f: weakref.ref(f)() is f,
    "isinstance FunctionType": lambda f: isinstance(f, types.FunctionType),
    "isinstance MethodType": lambda f: isinstance(f, types.MethodType),
    "isinstance Callable": lambda f: isinstance(f, vars(collections.abc)["Callable"]),
    "isinstance others": lambda f: [n for n in collections.abc.__all__ if isinstance(f, getattr(collections.abc, n))],
    "inspect.isfunction": inspect.isfunction,
    "inspect.ismethod": inspect.ismethod,
    "inspect.isroutine": inspect.isroutine,
    "inspect.isbuiltin": inspect.isbuiltin,
    "inspect.isclass": inspect.isclass,
    "inspect.isabstract": inspect.isabstract,
    "inspect.isawaitable": inspect.isawaitable,
    "inspect.isdatadescriptor": inspect.isdatadescriptor,
    "inspect.ismethoddescriptor": inspect.ismethoddescriptor,
    "inspect.iscoroutinefunction": inspect.iscoroutinefunction,
    "inspect.isgeneratorfunction": inspect.isgeneratorfunction,
    "inspect.isasyncgenfunction": inspect.isasyncgenfunction,
    "asyncio.iscoroutinefunction": asyncio.iscoroutinefunction,
    "inspect.signature": inspect.signature,
    "inspect.signature evaluated": lambda f: _words(inspect.signature(f, eval_str=True)),
    "inspect.getdoc": inspect.getdoc,
    "inspect.getcomments": inspect.getcomments,
    "inspect.getmodule": inspect.getmodule,
    "inspect.getfile": inspect.getfile,
    "inspect.getsourcefile": inspect.getsourcefile,
    "inspect.getsource": inspect.getsource,
    "inspect.getsourcelines": lambda f: inspect.getsourcelines(f)[1],
    "inspect.unwrap": lambda f: inspect.unwrap(f).__qualname__,
    "first line": lambda f: f.__code__.co_firstlineno,
    "inspect.getfullargspec": inspect.getfullargspec,
    "wrapped": lambda f: hasattr(f, "__wrapped__"),
    "code": lambda f: (f.__code__.co_name, f.__code__.co_varnames, f.__code__.co_argcount),
    "defaults": lambda f: (f.__defaults__, f.__kwdefaults__),
    "typing.get_type_hints": lambda f: _words(typing.get_type_hints(f)),
    "copy": lambda f: copy.copy(f) is f,
    "deepcopy": lambda f: copy.deepcopy(f) is f,
    "deepcopy of what holds it": lambda f: copy.deepcopy([f])[0] is f,
    "pickle": lambda f: [pickle.loads(pickle.dumps(f, each)) is f for each in range(pickle.HIGHEST_PROTOCOL + 1)],
    "pickle in Python": lambda f: pickle.loads(_pickled_in_python(f)) is f,
    "cloudpickle": lambda f: type(importlib.import_module("cloudpickle").loads(_cloudpickled(f))),
    "joblib.hash": lambda f: importlib.import_module("joblib").hash(f),
    "joblib.delayed": lambda f: importlib.import_module("joblib").delayed(f)(1)[0] is f,
    "dataclasses.asdict": lambda f: dataclasses.asdict(Holder(f))["function"] is f,
    "dataclasses.replace": lambda f: dataclasses.replace(Holder(f)).function is f,
    "functools.wraps": lambda f: repr(functools.wraps(f)(lambda: None)),
    "functools.partial": lambda f: functools.partial(f).func is f,
    "functools.partialmethod": lambda f: repr(functools.partialmethod(f)),
    "functools.singledispatch": lambda f: repr(functools.singledispatch(f)),
    "functools.lru_cache": lambda f: functools.lru_cache(f).__name__,
    "functools.cached_property": lambda f: functools.cached_property(f).func is f,
    "staticmethod": lambda f: repr(staticmethod(f)),
    "property": lambda f: property(f).fget is f,
    "as a method": lambda f: type(type("Owner", (), {"method": f})().method),
    "as a method, its function": lambda f: type("Owner", (), {"method": f})().method.__func__ is f,
    "types.MethodType": lambda f: types.MethodType(f, 1).__func__ is f,
    "create_autospec": lambda f: _described(mock.create_autospec(f)),
    "Mock(spec)": lambda f: sorted(set(dir(mock.Mock(spec=f))) - {"__wrapped__"}),
    "Mock(wraps)": lambda f: type(mock.Mock(wraps=f)),
    "patched": lambda f: _described(mock.patch(f"{__name__}.reader", autospec=f).start()),
    "with": lambda f: type(_entered(f)),
    "iter": iter,
    "len": len,
}
"""Questions about a function, by name."""


def _words(found: Any) -> list[str]:
    """Return the words of an answer, sorted: `typing` writes equal literals in any order. Addresses are no words."""
    return sorted(re.findall(r"\w+", re.sub(ADDRESS, "", repr(found))))


def _pickled_in_python(function: Any) -> bytes:
    target = io.BytesIO()
    pickle._Pickler(target).dump(function)
    return target.getvalue()


def _cloudpickled(function: Any) -> bytes:
    pickled: bytes = importlib.import_module("cloudpickle").dumps(function)
    return pickled


def _described(mocked: Any) -> Any:
    mock.patch.stopall()
    return type(mocked), inspect.signature(mocked), isinstance(mocked, types.FunctionType)


def _entered(function: Any) -> Any:
    with function as entered:
        return entered


def answer(question: Callable[[Any], Any], function: Any) -> str:
    """Return what the answer to a question reads as, without the addresses of objects."""
    try:
        found = question(function)
        if inspect.iscoroutine(found):
            found.close()
        text = repr(found)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    return re.sub(ADDRESS, "0x", text)


def places() -> Iterator[tuple[str, Any]]:
    """Yield every place whose function a client or framework has replaced, and the function there."""
    from specspan.instrument import install
    from specspan.instrument.patches import find_method

    only = os.environ.get("IDENTITY_ONLY", "")
    for provider, parts in install._registered():
        if only and provider not in only.split(","):
            continue
        for method in sorted({method for part in parts for method in part.methods}):
            owner, name = find_method(method)
            if owner is not None:
                yield f"{provider} {method}", (owner, name)


def ask_about_clients() -> dict[str, dict[str, str]]:
    """Return the answers about every method that is instrumented, on its class and bound to an instance."""
    found = {}
    for place, (owner, name) in places():
        function = getattr(owner, name)
        found[place] = {each: answer(question, function) for each, question in QUESTIONS.items()}
        found[place]["the same each time"] = repr(getattr(owner, name) is getattr(owner, name))
        if inspect.isclass(owner) and not inspect.isabstract(owner):
            found[f"{place} bound"] = _ask_about_method(owner, name)
    return found


def _ask_about_method(owner: type, name: str) -> dict[str, str]:
    instance: Any = object.__new__(owner)
    bound = getattr(instance, name)
    skipped = ("pickle", "pickle in Python", "cloudpickle", "joblib.hash", "deepcopy", "deepcopy of what holds it")
    asked = {each: question for each, question in QUESTIONS.items() if each not in skipped}
    return {
        **{each: answer(question, bound) for each, question in asked.items()},
        "its function": repr(bound.__func__ is vars(owner)[name]),
        "its object": repr(bound.__self__ is instance),
    }


def ask_about_decorated() -> dict[str, dict[str, str]]:
    """Return the answers about functions and methods of every kind, under every decorator."""
    found = {}
    for decorator, decorate in decorators().items():
        for name, function in FUNCTIONS.items():
            try:
                decorated = decorate(function)
            except TypeError:  # a generator function, of a block that has to be entered at one moment
                continue
            with mock.patch.object(observed_functions, name, decorated, create=True):
                found[f"{decorator} {name}"] = {each: answer(ask, decorated) for each, ask in QUESTIONS.items()}
        owner: Any = method_owner(decorate)
        with mock.patch.object(observed_functions, "Desk", owner, create=True):
            for name in ("answer", "wait", "of", "sign"):
                for how, of in (("class", owner), ("instance", owner())):
                    asked = {each: answer(ask, getattr(of, name)) for each, ask in QUESTIONS.items()}
                    asked["as it stands in the class"] = repr(type(vars(owner)[name]))
                    asked["copied"] = answer(lambda f: type(copy.deepcopy(f)), getattr(of, name))
                    asked["pickled"] = answer(lambda f: type(pickle.loads(pickle.dumps(f))), getattr(of, name))
                    found[f"{decorator} Desk.{name} of the {how}"] = asked
    return found


def ask_all() -> dict[str, dict[str, dict[str, str]]]:
    """Return the answers to every question."""
    return {"clients": ask_about_clients(), "decorated": ask_about_decorated()}


def ask_all_with_specspan() -> dict[str, dict[str, dict[str, str]]]:
    """Return the answers once everything is instrumented and decorated."""
    os.environ[WITH] = "1"
    import specspan
    from specspan.testing.memory import recorded

    specspan.instrument()
    with recorded():
        return ask_all()


def main(without: str, with_specspan: str) -> None:
    """Write the answers to two files: those of a process without specspan, and those of its copy with it.

    All clients are imported before the first question, as they are by `specspan.instrument`: `typing` keeps one object
    for equal types of two clients, and what its forward references lead to is decided once.
    """
    sys.modules["identity_questions"] = sys.modules["__main__"]
    for _ in places():  # imports the clients
        pass
    child = os.fork()
    ask, path = (ask_all, without) if child else (ask_all_with_specspan, with_specspan)
    Path(path).write_text(json.dumps(ask()), encoding="utf-8")
    if child:
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
