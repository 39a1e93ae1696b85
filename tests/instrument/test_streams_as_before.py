"""What is asked of a client's stream is answered as without specspan, whatever the policy is."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import gc
import inspect
import pickle
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from policies import bound, pattern, policy
from stream_cases import Body, ProviderStream, streams

from specspan.decision import Action, Mode
from specspan.instrument.install import instrument, uninstrument
from specspan.policy.policy import Policy
from specspan.testing.memory import recorded

SPECIAL = (
    "aenter",
    "aexit",
    "aiter",
    "anext",
    "bool",
    "call",
    "contains",
    "enter",
    "exit",
    "getitem",
    "iter",
    "len",
    "next",
)
ADDED: set[str] = {"_parse_event", "__slotnames__"}
"""An attribute that replaces that of a class inside the object; and what `copy` notes in a class."""
OPEN_STREAMS: dict[str, Callable[[Any], Any]] = {
    "type": type,
    "exact type": lambda s: (type(s).__module__, type(s).__qualname__, type(s) is s.__class__),
    "class": lambda s: s.__class__,
    "repr": repr,
    "str": str,
    "bool": bool,
    "isinstance": lambda s: [n for n in collections.abc.__all__ if isinstance(s, getattr(collections.abc, n))],
    "isinstance of its class": lambda s: isinstance(s, s.__class__),
    "special methods": lambda s: [name for name in SPECIAL if hasattr(s, f"__{name}__")],
    "special methods of its type": lambda s: [name for name in SPECIAL if hasattr(type(s), f"__{name}__")],
    "attributes": lambda s: sorted(set(dir(s)) - ADDED),
    "own attributes": lambda s: sorted(set(vars(s)) - ADDED),
    "length": len,
    "hash": lambda s: hash(s) == hash(s),
    "equal": lambda s: (s == s, s == copy),
    "copy": lambda s: type(copy.copy(s)),
    "deepcopy": lambda s: type(copy.deepcopy(s)),
    "pickle": lambda s: len(pickle.dumps(s)) > 0,
    "inspect.isgenerator": inspect.isgenerator,
    "inspect.isasyncgen": inspect.isasyncgen,
    "inspect.isawaitable": inspect.isawaitable,
    "generator's name": lambda s: (s.__name__, s.__qualname__),
    "generator's state": inspect.getgeneratorstate,
    "iterator": lambda s: type(iter(s)),
    "iterator of the same object": lambda s: iter(s) is s,
    "async iterator": lambda s: type(aiter(s)),
    "what it reads from": lambda s: type(
        vars(s)[next(n for n in ("_iterator", "generator", "_event_generator") if n in vars(s))]
    ),
    "bound method": lambda s: (type(s.close), s.close.__func__ is type(s).close, s.close.__self__ is s),
    "response": lambda s: type(s.response),
    "response, the same each time": lambda s: s.response is s.response,
    "response, its repr": lambda s: repr(s.response),
    "response, its state": lambda s: (
        s.response.is_closed,
        s.response.is_stream_consumed,
        s.response.num_bytes_downloaded,
    ),
    "response, its stream": lambda s: type(s.response.stream),
    "response, its headers": lambda s: dict(s.response.headers),
    "response, its content": lambda s: s.response.content,
    "response, its text": lambda s: s.response.text,
    "response, a method": lambda s: s.response.iter_bytes.__func__ is type(s.response).iter_bytes,
    "set an attribute": lambda s: (s.__setattr__("marked", 1), s.marked, s.__delattr__("marked")),
    "an unknown attribute": lambda s: s.nothing_of_this_name,
}
"""Questions about a stream of which nothing was read, by name."""
DIFFERENT = {
    ("anthropic", "own attributes"): "its reader is made with it, and not when the first chunk is read",
    ("anthropic", "what it reads from"): "as above",
    ("litellm", "exact type"): "it makes chunks of what it reads itself, so that a stand-in reads from it",
    ("litellm", "copy"): "as above",
}
"""Questions whose answers differ for a provider, each with its reason; docs/instrumentation.md says so, too."""


def rules(mode: Mode) -> Policy:
    return policy(bound("quiet", pattern("nowhere", reason="word"), action=Action.BLOCK), mode=mode)


POLICIES = {"none": None, "observe": rules(Mode.OBSERVE), "enforce": rules(Mode.ENFORCE)}
CASES = streams()


def answer(question: Callable[[Any], Any], stream: Any) -> str:
    """Return what the answer to a question reads as, without the addresses of objects."""
    try:
        text = repr(question(stream))
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def ask(case: ProviderStream, *, is_async: bool) -> dict[tuple[str, str], str]:
    """Return the answers about a stream as it comes, and about one that was read to its end."""

    def answers(when: str, stream: Any) -> dict[tuple[str, str], str]:
        return {(when, name): answer(question, stream) for name, question in OPEN_STREAMS.items()}

    if not is_async:
        assert case.sync_stream is not None
        fresh, stream = (case.sync_stream(Body(case.pieces)) for _ in range(2))
        found = answers("unread", fresh)
        list(stream)
        return found | answers("read", stream)

    async def main() -> dict[tuple[str, str], str]:
        assert case.async_stream is not None
        fresh, stream = [await case.async_stream(Body(case.pieces)) for _ in range(2)]
        found = answers("unread", fresh)
        async for _ in stream:
            pass
        return found | answers("read", stream)

    return asyncio.run(main())


@pytest.fixture(autouse=True)
def uninstrumented() -> Iterator[None]:
    yield
    uninstrument()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_stream_answers_as_the_clients_own(case: ProviderStream) -> None:
    """Before anything was read, and after all of it was; sync and async; without a policy, observed and enforced."""
    kinds = [kind for kind, made in ((False, case.sync_stream), (True, case.async_stream)) if made is not None]
    before = {kind: ask(case, is_async=kind) for kind in kinds}
    instrument(case.provider)
    for policy_name, rule in POLICIES.items():
        for kind in kinds:
            with recorded(rule):
                after = ask(case, is_async=kind)
                gc.collect()  # ends the calls of streams that were let go of
            differing = [
                at for at in after if (case.provider, at[1]) not in DIFFERENT and after[at] != before[kind][at]
            ]
            assert {at: (before[kind][at], after[at]) for at in differing} == {}, (policy_name, kind)
