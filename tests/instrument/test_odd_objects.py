"""Odd objects in the place of a client's own: the application gets the very ones, and sees what it would have seen."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from anthropic import Anthropic
from groq import Groq
from ollama import Client as Ollama
from openai import OpenAI
from policies import bound, pattern, policy

import specspan
from specspan.decision import Action, Mode
from specspan.instrument.patches import wrap_in_place
from specspan.instrument.replacements import replace
from specspan.testing.memory import recorded

RULES = [
    policy(bound("secrets", pattern("FORBIDDEN"), action=Action.REDACT), mode=mode)
    for mode in (Mode.OBSERVE, Mode.ENFORCE)
]


class Raising:
    """Object whose attributes raise when they are looked at."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__"):
            return object.__getattribute__(self, name)
        raise RuntimeError(name)


class Endless:
    """Object that answers to every name, with more of its kind."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Endless()

    def __call__(self, *_: Any, **__: Any) -> Any:
        return Endless()


class Slotted:
    """Object without a dictionary."""

    __slots__ = ("text",)


class Refusing(type):
    """Class of classes that look up nothing, and are of no class but one."""

    def __getattribute__(cls, name: str) -> Any:
        if name.startswith("__"):
            return type.__getattribute__(cls, name)
        raise TypeError(name)

    def __instancecheck__(cls, instance: object) -> bool:
        raise TypeError("not to be asked")


class Metaclassed(metaclass=Refusing):
    """Object of a class of its own kind."""


ODD: dict[str, Callable[[], Any]] = {
    "raising": Raising,
    "endless": Endless,
    "slotted": Slotted,
    "metaclassed": Metaclassed,
    "magic mock": mock.MagicMock,
    "number": lambda: 7,
    "iterator": lambda: iter("ab"),
    "partial": lambda: functools.partial(print),
}


def _stainless(client: Any, resource: str, **asked: Any) -> Callable[[Any], Any]:
    def ask(answer: Any) -> Any:
        found = functools.reduce(getattr, resource.split("."), client)
        with mock.patch.object(found, "_post", return_value=answer):
            return found.create(model="m", messages=[{"role": "user", "content": "hi"}], **asked)

    return ask


def _ollama(answer: Any) -> Any:
    client = Ollama("http://127.0.0.1:9")
    with client._client, mock.patch.object(client, "_request", return_value=answer):
        return client.chat(model="m", messages=[{"role": "user", "content": "hi"}])


@pytest.fixture(params=["openai", "groq", "anthropic", "ollama"])
def ask(request: pytest.FixtureRequest) -> Iterator[Callable[[Any], Any]]:
    """Make a client's call, which the client's own transport answers with an object."""
    if request.param == "ollama":
        yield _ollama
        return
    if request.param == "anthropic":
        with Anthropic(api_key="test") as anthropic:
            yield _stainless(anthropic, "messages", max_tokens=9)
        return
    with {"openai": OpenAI, "groq": Groq}[request.param](api_key="test") as client:
        yield _stainless(client, "chat.completions")


@pytest.fixture
def instrumented() -> Iterator[None]:
    specspan.instrument("openai", "groq", "anthropic", "ollama")
    yield
    specspan.uninstrument()


@pytest.mark.parametrize("rules", RULES, ids=["observing", "enforcing"])
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.usefixtures("instrumented", "in_production")
@pytest.mark.table
def test_an_answer_of_another_kind_is_handed_over(ask: Callable[[Any], Any], kind: str, rules: Any) -> None:
    """The very object, with one span of the call; an iterator is not read."""
    answer = ODD[kind]()
    with recorded(rules) as record:
        found = ask(answer)
        assert len(record.spans) == 1
    if kind == "iterator":
        assert list(found) == ["a", "b"]
    else:
        assert found is answer


def _passing(wrapped: Any, _: Any, args: Any, kwargs: Any) -> Any:
    return wrapped(*args, **kwargs)


class _SlottedClient:
    __slots__ = ("name",)

    def ask(self, question: str) -> str:
        return f"{question}!"


class _MetaclassedClient(metaclass=Refusing):
    def ask(self, question: str) -> str:
        return f"{question}!"


class _EndlessClient(Endless):
    def ask(self, question: str) -> str:
        return f"{question}!"


@pytest.mark.parametrize("kind", [_SlottedClient, _MetaclassedClient, _EndlessClient])
def test_a_client_of_an_odd_class_is_met(kind: Any) -> None:
    """Its method is replaced, called with its object, and put back."""
    before, bound_to = vars(kind)["ask"], list[Any]()

    def make(method: Any) -> Any:
        def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            bound_to.append(instance)
            return wrapped(*args, **kwargs)

        return wrapper

    undo = wrap_in_place(kind, "ask", make, "key")
    client = kind()
    assert vars(kind)["ask"](client, question="why") == "why!"
    assert bound_to == [client]
    undo()
    assert vars(kind)["ask"] is before


@pytest.mark.parametrize(
    "function",
    [len, functools.partial(len), functools.lru_cache(len), "".join, str],
    ids=["built in", "partial", "cached", "bound", "class"],
)
def test_what_is_no_function_of_pythons_is_replaced_by_a_stand_in(function: Any) -> None:
    """It can be called as before, and has the attributes that it had."""
    replaced = replace(function, _passing)
    assert replaced("ab") == function("ab")
    assert getattr(replaced, "__name__", None) == getattr(function, "__name__", None)
    assert getattr(replaced, "__wrapped__", None) is getattr(function, "__wrapped__", None)
    assert isinstance(replaced, type(function))
