"""`uninstrument()` leaves nothing behind: of every provider and framework, every patched object is the one it was."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import Any

import pytest
import wrapt
from ended_spans import Spans
from openai_wire import Wire, ask_sync, completion
from opentelemetry.sdk.trace import Tracer

import specspan
from specspan._support import drop_counts
from specspan.instrument import install
from specspan.instrument.patches import PROCESS_PATCHES, find_method, wrap_in_place

Place = tuple[Any, str]
Snapshot = Mapping[Any, Mapping[str, Any]]


@pytest.fixture(autouse=True)
def uninstrumented() -> Iterator[None]:
    yield
    specspan.uninstrument()


@pytest.fixture
def places() -> set[Place]:
    """What is to be replaced, as every provider and framework says that is installed here; all of them imported."""
    specspan.instrument()
    specspan.uninstrument()
    adapters: list[Any] = [each for _, met in install._registered() for each in met]
    methods = {method for each in adapters for method in each.methods}
    found = {find_method(method) for method in methods}
    return {place for place in found if place[0] is not None} | {find_method(place) for place in PROCESS_PATCHES}


@pytest.fixture
def nothing_collected() -> Iterator[None]:
    """Others count what the garbage collector does, in attributes of their own."""
    gc.disable()
    yield
    gc.enable()


def snapshot() -> Snapshot:
    """Every attribute of every class and module there is."""
    modules = [module for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    return {owner: dict(vars(owner)) for owner in (*modules, *classes_below(object))}


def classes_below(base: type) -> set[type]:
    found, new = {base}, [base]
    below: Callable[[type], list[type]] = type.__subclasses__
    while new:
        added = set(below(new.pop())) - found
        found |= added
        new.extend(added)
    return found


def changed(before: Snapshot, after: Snapshot) -> set[Place]:
    """What is another object, or was added or taken away."""
    absent = object()
    return {
        (owner, attribute)
        for owner in before
        for attribute in {*before[owner], *after[owner]}
        if before[owner].get(attribute, absent) is not after[owner].get(attribute, absent)
    }


@pytest.mark.usefixtures("nothing_collected")
def test_all_that_is_replaced_is_put_back(places: set[Place]) -> None:
    """Of all classes and modules just the methods that are named are others, and then the very ones they were."""
    before = snapshot()
    specspan.instrument()
    during = snapshot()
    specspan.uninstrument()

    assert len(places) > 40
    assert changed(before, during) == places
    assert changed(before, snapshot()) == set()


def through(wrapped: Any, _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return wrapped(*args, **kwargs)


def close_over(places: Iterable[Place]) -> None:
    """Replace each method by a function that nothing can be taken out of."""
    for owner, attribute in places:
        setattr(owner, attribute, closing_over(getattr(owner, attribute)))


def closing_over(held: Any) -> Any:
    @functools.wraps(held)
    def theirs(*args: Any, **kwargs: Any) -> Any:
        return held(*args, **kwargs)

    return theirs


@pytest.fixture
def methods(places: set[Place]) -> Iterator[dict[Place, Any]]:
    """What stands in every place; put back when a test has failed to."""
    found = {(owner, attribute): vars(owner)[attribute] for owner, attribute in places}
    yield found
    put(found)


def put(methods: Mapping[Place, Any]) -> None:
    for (owner, attribute), method in methods.items():
        setattr(owner, attribute, method)


def standing(methods: Mapping[Place, Any]) -> dict[Place, Any]:
    return {(owner, attribute): vars(owner)[attribute] for owner, attribute in methods}


def wrapped_by_others(methods: Mapping[Place, Any]) -> dict[Place, Any]:
    """Somebody else's wrapper around another of theirs, in every place that is ours to wrap with `wrapt`."""
    return {
        place: wrapt.FunctionWrapper(wrapt.FunctionWrapper(method, through), through)
        for place, method in standing(methods).items()
    }


@pytest.fixture
def of_clients(methods: dict[Place, Any]) -> dict[Place, Any]:
    """The methods of clients and frameworks, which are wrapped with `wrapt`; the others are no methods of clients."""
    return {place: method for place, method in methods.items() if place[0] not in (Thread, ThreadPoolExecutor, Tracer)}


def test_from_under_other_wrappers_ours_is_taken_out(of_clients: dict[Place, Any]) -> None:
    """What somebody put over ours stays where it is and holds the client's own; taken away, it leaves just that."""
    specspan.instrument()
    theirs = wrapped_by_others(of_clients)
    put(theirs)
    specspan.uninstrument()

    assert all(found is theirs[place] for place, found in standing(of_clients).items())
    assert all(each.__wrapped__.__wrapped__ is of_clients[place] for place, each in theirs.items())


def test_from_within_other_wrappers_ours_is_taken_out(of_clients: dict[Place, Any]) -> None:
    """What somebody wrapped before us holds what it held, in its own place."""
    theirs = wrapped_by_others(of_clients)
    put(theirs)
    specspan.instrument()
    assert not any(each.__wrapped__.__wrapped__ is of_clients[place] for place, each in theirs.items())
    specspan.uninstrument()

    assert all(found is theirs[place] for place, found in standing(of_clients).items())
    assert all(each.__wrapped__.__wrapped__ is of_clients[place] for place, each in theirs.items())


def test_taken_out_of_a_wrapper_that_others_closed_over(of_clients: dict[Place, Any]) -> None:
    """A wrapper that cannot be changed is no obstacle to those below it."""
    theirs = wrapped_by_others(of_clients)
    put(theirs)
    specspan.instrument()
    close_over(of_clients)
    specspan.uninstrument()

    assert all(each.__wrapped__.__wrapped__ is of_clients[place] for place, each in theirs.items())


def calls(spans: Spans) -> list[str]:
    """The spans of one call of the client."""
    spans.clear()
    ask_sync(Wire(completion()))
    return spans.names


def test_what_others_closed_over_only_passes_through(methods: dict[Place, Any], spans: Spans) -> None:
    """Ours in the middle makes no span and counts nothing; instrumented again a call has one span, and then none."""
    counted = drop_counts.totals()
    specspan.instrument()
    kept = standing(methods)
    close_over(kept)
    assert calls(spans) == ["chat gpt-test"]

    specspan.uninstrument()
    assert calls(spans) == []
    specspan.instrument()
    assert calls(spans) == ["chat gpt-test"]
    specspan.uninstrument()
    assert calls(spans) == []

    put(kept)  # as those do who keep what they wrapped: ours
    assert calls(spans) == []
    assert drop_counts.totals() == counted


def test_what_others_put_back_of_ours_is_swept_away(of_clients: dict[Place, Any], spans: Spans) -> None:
    """A wrapper out of use that came back is gone after the next time."""
    specspan.instrument()
    kept = standing(of_clients)
    specspan.uninstrument()
    put(kept)
    specspan.instrument()
    assert calls(spans) == ["chat gpt-test"]
    specspan.uninstrument()

    assert all(found is of_clients[place] for place, found in standing(of_clients).items())


def test_what_an_application_keeps_bound_passes_through(spans: Spans) -> None:
    """A method that was bound while it was instrumented makes no span afterwards."""
    specspan.instrument("openai")
    with Wire(completion()).sync_client() as client:
        create: Any = client.chat.completions.create
        specspan.uninstrument()
        assert create(model="gpt-test", messages=[{"role": "user", "content": "hi"}]).id == "chatcmpl-1"

    assert spans.names == []


@pytest.mark.parametrize("kind", [classmethod, staticmethod])
def test_a_method_that_stands_in_two_classes_is_of_its_kind_in_both(kind: Any) -> None:
    """It has one replacement, which is bound in each class as the method was."""
    method = kind(lambda *bound_to: bound_to)
    first, second = classes = [type(name, (), {"method": method}) for name in ("First", "Second")]
    undos = [wrap_in_place(owner, "method", lambda _: through, "key") for owner in classes]

    assert [type(vars(owner)["method"]) for owner in classes] == [kind, kind]
    assert vars(first)["method"].__func__ is vars(second)["method"].__func__ is not method.__func__
    bound_to = [getattr(owner, "method")() for owner in classes]  # noqa: B009 - unknown to type checkers
    assert bound_to == ([(first,), (second,)] if kind is classmethod else [(), ()])
    for undo in undos:
        undo()
    assert vars(first)["method"] is vars(second)["method"] is method
