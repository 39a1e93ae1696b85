"""Frozen dataclasses that cost little to make are like any other in all but that."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, replace
from typing import ClassVar

import pytest

from specspan._support.fast_dataclass import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Quick:
    """One of every kind of field."""

    kind: ClassVar[str] = "quick"
    name: str
    count: int = 3
    facts: Mapping[str, int] = field(default_factory=dict)
    kept: str | None = field(default=None, init=False, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Plain:
    """The same, made as dataclasses are made."""

    kind: ClassVar[str] = "quick"
    name: str
    count: int = 3
    facts: Mapping[str, int] = field(default_factory=dict)
    kept: str | None = field(default=None, init=False, repr=False, compare=False)


@pytest.mark.parametrize("made", [Quick("a"), Quick("a", 3), Quick(name="a", count=3, facts={})], ids=repr)
def test_keeps_what_it_is_given_and_fills_in_defaults(made: Quick) -> None:
    """However it is made, it says the same as the plain one."""
    assert repr(made) == repr(Plain("a")).replace("Plain", "Quick")
    assert made == Quick("a")
    assert made.kept is None


def test_its_constructor_is_called_alike() -> None:
    """Its signature is the dataclass's own, so that editors and tools show what it takes."""
    assert inspect.signature(Quick) == inspect.signature(Plain)


def test_a_default_that_is_made_is_made_for_each() -> None:
    """Two objects do not share what a factory made."""
    assert Quick("a").facts is not Quick("a").facts


def test_it_is_frozen() -> None:
    """Once made it is what it is: no field can be set, and it is of its own class."""
    made = Quick("a")
    with pytest.raises(FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]
    assert type(made) is Quick


@pytest.mark.parametrize("arguments", [(), ("a", 1, {}, "more")], ids=["too few", "too many"])
def test_wrong_arguments_are_refused(arguments: tuple[object, ...]) -> None:
    """As any constructor refuses them."""
    with pytest.raises(TypeError, match="__init__"):
        Quick(*arguments)  # type: ignore[arg-type]


def test_it_is_copied_pickled_and_replaced() -> None:
    """What works with a dataclass works with it."""
    made = Quick("a", 4, {"x": 1})
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
    assert replace(made, count=5) == Quick("a", 5, {"x": 1})


def test_objects_of_a_subclass_are_of_the_subclass() -> None:
    """A subclass with fields of its own is made whole."""

    @dataclass(frozen=True, slots=True)
    class More(Quick):
        other: str = "o"

    made = More("a", other="p")
    assert (type(made), made.name, made.count, made.other) == (More, "a", 3, "p")


def test_what_follows_from_its_fields_is_worked_out() -> None:
    """A ``__post_init__`` runs on every object, once its fields are there, and what it raises is raised."""

    @fast_init
    @dataclass(frozen=True, slots=True)
    class Doubled:
        number: int
        twice: int = field(init=False, repr=False, compare=False)

        def __post_init__(self) -> None:
            if self.number < 0:
                raise ValueError(self.number)
            object.__setattr__(self, "twice", 2 * self.number)

    made = Doubled(2)
    assert (made.twice, replace(made, number=3).twice) == (4, 6)
    assert made == Doubled(2)
    with pytest.raises(FrozenInstanceError):
        made.twice = 5  # type: ignore[misc]
    with pytest.raises(ValueError, match="-1"):
        Doubled(-1)


def test_what_inherits_is_refused() -> None:
    """A dataclass whose fields are partly another's would be made without those."""
    with pytest.raises(TypeError, match="More"):
        fast_init(dataclass(frozen=True, slots=True)(type("More", (Quick,), {})))
