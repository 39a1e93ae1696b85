"""Values that functions which are model calls return: what is read of them, and what is put back."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections import OrderedDict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from policies import bound, pattern, policy
from pydantic import BaseModel, ConfigDict, computed_field
from spoken_models import clause

from specspan.call import Text, Unknown
from specspan.decision import Action
from specspan.errors import Blocked
from specspan.instrument.decorators import observe
from specspan.instrument.result_values import read_parts, replace_texts
from specspan.policy.policy import OnError
from specspan.testing.memory import recorded

SECRET = "123-45-6789"
REDACTED = "[redacted:ssn]"
model = observe(model="parrot")


@dataclasses.dataclass(frozen=True)
class Reply:
    """Reply with a text and a number."""

    text: str
    size: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class SlottedReply:
    """Reply whose fields are slots, one of which its constructor does not take."""

    text: str
    size: int = dataclasses.field(default=1, init=False)


class Pair(NamedTuple):
    """Named tuple of texts."""

    first: str
    second: str


class Answer(BaseModel):
    """Structured answer with fields that nobody declared."""

    model_config = ConfigDict(extra="allow")
    text: str


class Opaque:
    """Object that only its attributes tell about."""


class Greeting(BaseModel):
    """Model with a field that follows from another."""

    name: str

    @computed_field
    def text(self) -> str:
        """The greeting."""
        return f"Dear {self.name}"


class Whole(BaseModel):
    """Model whose text nobody sets."""

    parts: tuple[str, ...]

    @computed_field
    def text(self) -> str:
        """The parts, joined."""
        return "".join(self.parts)

    @computed_field
    def broken(self) -> str:
        """Nothing that anybody could read."""
        raise ValueError("broken")


class Noted(str):  # noqa: SLOT000 - its attributes are what is read
    """Text with attributes."""

    note: str


class NotedDict(dict[str, str]):
    """Dict with attributes."""

    note: str
    _lock: object


class NotedList(list[str]):
    """List with attributes."""

    __slots__ = ("note",)
    note: str


@dataclasses.dataclass
class NotedReply:
    """Reply that somebody adds to."""

    text: str

    def __post_init__(self) -> None:
        self.note = SECRET


class Colour(str, enum.Enum):
    """Text that is one of a few."""

    RED = "red"


def noted(value: Any, note: Any = SECRET) -> Any:
    """Return a value with an attribute beside what it holds."""
    value.note = note
    return value


VALUES: dict[str, tuple[Any, Any]] = {
    "text": (SECRET, REDACTED),
    "dict": ({"answer": SECRET, "size": 1}, {"answer": REDACTED, "size": 1}),
    "ordered": (OrderedDict(b="x", a=SECRET), OrderedDict(b="x", a=REDACTED)),
    "list": (["mine", SECRET, None], ["mine", REDACTED, None]),
    "tuple": (("mine", SECRET), ("mine", REDACTED)),
    "named_tuple": (Pair("mine", SECRET), Pair("mine", REDACTED)),
    "nested": ({"choices": [{"message": {"content": SECRET}}]}, {"choices": [{"message": {"content": REDACTED}}]}),
    "dataclass": (Reply(SECRET, 2), Reply(REDACTED, 2)),
    "slots": (SlottedReply(SECRET), SlottedReply(REDACTED)),
    "pydantic": (Answer(text=SECRET), Answer(text=REDACTED)),
    "computed_field": (Greeting(name=SECRET), Greeting(name=REDACTED)),
    "dict_attribute": (noted(NotedDict(a="b")), noted(NotedDict(a="b"), REDACTED)),
    "list_attribute": (noted(NotedList("ab")), noted(NotedList("ab"), REDACTED)),
    "dataclass_attribute": (NotedReply("fine"), noted(NotedReply("fine"), REDACTED)),
    "pydantic_extra": (Answer(text="x", more=[SECRET]), Answer(text="x", more=[REDACTED])),  # type: ignore[call-arg]
}


@pytest.mark.parametrize("name", VALUES)
def test_texts_in_a_result_are_redacted_in_a_copy(name: str) -> None:
    """The application gets a value of the same type, and what the function returned is as it was."""
    value, redacted = VALUES[name]
    before = repr(value)
    with recorded(clause(Action.REDACT)):
        result = model(lambda: value)()
    assert (result, type(result)) == (redacted, type(value))
    assert repr(value) == before


@pytest.mark.parametrize("name", VALUES)
def test_texts_in_a_result_are_blocked(name: str) -> None:
    """The clause is violated, and `Blocked` is raised in place of the value."""
    with recorded(clause(Action.BLOCK)) as record, pytest.raises(Blocked):
        model(lambda: VALUES[name][0])()
    assert record.decisions[0]["verdict"] == "violated"


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("value", [noted(Noted("fine")), Whole(parts=("123-45-", "6789"))])
def test_what_cannot_be_rewritten_is_not_handed_over(value: Any) -> None:
    """A redaction of an attribute of a text, or of a field that follows from others, fails as `on_error` says."""
    bindings = bound(
        "privacy", pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn"), action=Action.REDACT, on_error=OnError.CLOSED
    )
    with recorded(policy(bindings)), pytest.raises(Blocked):
        model(lambda: value)()


def test_attributes_are_compared() -> None:
    """The redacted copies have the attribute that was written anew, and not the one of before."""
    with recorded(clause(Action.REDACT)):
        for name in ("dict_attribute", "list_attribute", "dataclass_attribute"):
            assert model(lambda name=name: VALUES[name][0])().note == REDACTED


def test_what_is_private_and_no_text_is_left_alone() -> None:
    """A lock of an object's own is no part of an answer; a public attribute of an unknown kind is."""
    value = NotedDict(a="b")
    value._lock = object()
    assert read_parts(value) == (Text("b"), Text("a"))
    assert read_parts(noted(NotedDict(), Opaque())) == (Unknown("Opaque"),)
    assert read_parts(Colour.RED) == (Text("red"),)


@pytest.mark.usefixtures("in_production")
def test_a_key_is_read_and_is_not_rewritten() -> None:
    """A redaction that would rename a key fails, which `on_error` answers: ``closed``, nothing comes out."""
    bindings = bound(
        "privacy", pattern(r"\d{3}-\d{2}-\d{4}", reason="ssn"), action=Action.REDACT, on_error=OnError.CLOSED
    )
    with recorded(policy(bindings)), pytest.raises(Blocked):
        model(lambda: {SECRET: 1})()


def test_a_result_without_an_edit_is_the_very_object() -> None:
    """A value that the policy allows is handed over itself."""
    value = {"answer": ["fine"]}
    with recorded(clause(Action.REDACT)):
        assert model(lambda: value)() is value


@pytest.mark.parametrize("value", [b"x", Opaque(), {1, 2}, [Opaque()], {"a": b"x"}])
def test_what_cannot_be_read_is_not_called_complied(value: Any) -> None:
    """The clause is unassessed, with the reason, and the value is handed over."""
    with recorded(clause(Action.BLOCK)) as record:
        assert model(lambda: value)() is value
    finding = record.decisions[0]["findings"][0]
    assert (finding["outcome"], finding["reason"]) == ("unassessed", "content_not_understood")


@pytest.mark.parametrize("value", [None, 1, 2.5, True, dt.date(2026, 1, 1), [], {}, "", [0.1, 0.2]])
def test_what_has_no_text_has_no_parts(value: Any) -> None:
    """Numbers, dates and empty values leave nothing to read."""
    assert read_parts(value) == ()


def test_values_that_hold_themselves_are_read_once() -> None:
    """A cycle and a value that stands in two places are entered once; with a cycle there is no copy."""
    shared = [SECRET]
    both = [shared, shared]
    assert read_parts(both) == (Text(SECRET),)
    assert replace_texts(both, {"/output/0/parts/0": "x"}) == [["x"], ["x"]]
    both.append(both)  # type: ignore[arg-type]
    assert read_parts(both) == (Text(SECRET),)
    with pytest.raises(LookupError, match="holds itself"):
        replace_texts(both, {"/output/0/parts/0": "x"})


def test_a_value_that_is_too_deep_is_unknown() -> None:
    """The part stands for what is below."""
    value: Any = SECRET
    for _ in range(5000):
        value = [value]
    assert read_parts(value) == (Unknown("list"),)


def test_chunks_that_are_no_text_are_watched() -> None:
    """A stream of dicts is redacted in the chunk that completes the match, and what is no text leaves it unassessed."""

    def chunks(*values: Any) -> Iterator[Any]:
        yield from values

    with recorded(clause(Action.REDACT)):
        assert list(model(chunks)([{"n": 1}], ["123-45-"], ["6789"])) == [[{"n": 1}], ["123-45-"], [REDACTED]]
    with recorded(clause(Action.BLOCK)) as record, pytest.raises(Blocked):
        list(model(chunks)({"text": SECRET}))
    assert record.decisions[0]["verdict"] == "violated"
    with recorded(clause(Action.BLOCK)) as record:
        assert list(model(chunks)("fine", b"x")) == ["fine", b"x"]
    assert record.decisions[0]["findings"][0]["reason"] == "content_not_understood"


class _Score(int):
    """A number with an attribute."""

    text: str


def test_a_number_with_attributes_is_not_understood() -> None:
    """A text may stand in them; other numbers have none, those of an enumeration included."""
    score = _Score(1)
    assert read_parts([score, HTTPStatus.OK, 2]) == ()
    score.text = "FORBIDDEN"
    assert [type(each) for each in read_parts([score, HTTPStatus.OK, 2])] == [Unknown]
