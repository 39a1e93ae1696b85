"""Fields that a format's reader knows, and the texts that stand in any other field of an answer.

What a service may write is declared as data, one `Known` for each kind of object: fields that are read, and fields that
carry no words of the model (ids, counts, reasons). Whatever else holds a text is *unlisted*: it is handed over with the
answer, so that checks read it as well, each field as one text by its path.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import Enum
from functools import partial
from itertools import count, repeat
from operator import is_
from typing import Any, NamedTuple, TypeAlias

from specspan.instrument.formats.fields import copy_with

Path: TypeAlias = tuple[str, ...]
"""Names of fields from the outermost object inwards; all texts of a list have one path."""
Place: TypeAlias = tuple[int, Path]
"""Choice of an answer, and a path in it."""


@dataclass(slots=True, eq=False)
class Known:
    """Fields of one kind of object that are known: read elsewhere, or without words of the model."""

    names: frozenset[str]
    """Fields that are read, or in which no model writes."""
    inner: Mapping[str, Known] = field(default_factory=dict)
    """Those of them whose values are objects, or lists of objects, and what is known of these."""
    made: frozenset[str] = frozenset()
    """Fields that are known only where the client declares them, because it makes them of others."""
    is_text: bool = False
    """Whether a text in place of the object is read."""
    choose: Callable[[Mapping[str, Any]], Known] | None = None
    """Returns what is known of an object by its fields, in place of all this."""
    rest: Known | None = None
    """What is known of objects in all other fields, which then count as known; a text there is unlisted."""
    index: str = ""
    """Field with the number of a choice."""
    is_single: bool = False
    """Whether nobody reads a list of such objects: texts in a list in place of the object are unlisted."""
    _item: Known | None = field(default=None, init=False)
    inside: dict[tuple[Any, ...], tuple[tuple[str, Known], ...]] = field(default_factory=dict, init=False)
    """Fields to look into by the class of an object and the types of its values, of objects met before."""

    def of_items(self) -> Known:
        """Return what is known of the items of a list: no reader looks into a list among them."""
        if self.is_single:
            return _UNLISTED
        if self._item is None:
            is_any_depth = self.rest is self or not (self.names or self.choose)
            self._item = self if is_any_depth else replace(self, is_single=True)
        return self._item


def known(names: str = "", /, **inner: Known) -> Known:
    """Return what is known of objects with the fields ``names``, separated by spaces, and ``inner``."""
    return Known(frozenset(names.split()) | inner.keys(), inner)


def or_text(fields: Known) -> Known:
    """Return what is known where a text may stand in place of an object, and is read."""
    return replace(fields, is_text=True)


def with_made(fields: Known, *names: str) -> Known:
    """Return what is known where a client makes further fields of those that the service sent."""
    return replace(fields, made=frozenset(names))


def single(fields: Known) -> Known:
    """Return what is known where a list of such objects is not read."""
    return replace(fields, is_single=True)


def numbered(fields: Known) -> Known:
    """Return what is known of a choice, which has an ``index``."""
    return replace(fields, index="index")


def by_fields(choose: Callable[[Mapping[str, Any]], Known], *, is_text: bool = False) -> Known:
    """Return what is known of objects of several kinds, which ``choose`` tells apart by their fields."""
    return Known(frozenset(), choose=choose, is_text=is_text)


def numbers(names: str) -> dict[str, Known]:
    """Return what is known of the fields ``names``, separated by spaces, that hold numbers."""
    return dict.fromkeys(names.split(), NUMBER)


def with_fields(before: Known, **inner: Known) -> Known:
    """Return what is known of objects with further fields."""
    return replace(before, names=before.names | inner.keys(), inner={**before.inner, **inner})


def known_tree(names: str = "") -> Known:
    """Return what is known of objects in objects, of any names, with texts in the fields ``names`` alone."""
    tree = known(names)
    tree.rest = tree
    return tree


WHOLE = or_text(known())
"""What is known of an object of which everything is read, or nothing holds words of the model."""
NUMBER = known()
"""What is known of a number, or a yes or no: a text in its place is none."""
SETTING = Known(frozenset(), rest=WHOLE)
"""What is known of an object of settings, which the application sent: a text in its place is none."""
COUNTS = known_tree("service_tier inference_geo speed traffic_type modality type model status reason version ttl")
"""Numbers of a service, such as tokens and times, and what they count."""


class Unlisted(NamedTuple):
    """Text in a field that is not known."""

    choice: int
    path: Path
    text: str

    @property
    def place(self) -> Place:
        """Return the choice and the path of the text; texts of one place are one text."""
        return self.choice, self.path


def _edited(answer: Any, edit: Callable[[Any], Any]) -> Any:
    return edit(answer)


@dataclass(frozen=True, slots=True, eq=False)
class AnswerFields:
    """Fields of a kind of answers or chunks: which are known, and how to reach and edit them."""

    known: Known
    body: Callable[[Any], Any] | None = None
    """Returns the object with the fields; None: it is the answer itself."""
    edit: Callable[[Any, Callable[[Any], Any]], Any] = _edited
    """Returns a copy of an answer with a function applied to that object."""
    repeated: frozenset[str] = frozenset()
    """Fields in which the service repeats what the application sent."""

    def read(self, answer: Any) -> list[Unlisted]:
        """Return the texts of an answer, or of a chunk, in fields that are not known."""
        body = answer if self.body is None else self.body(answer)
        known = known_of_body(body, self.known)
        return unlisted_texts(body, known) if has_unlisted(body, known) else []

    def has_object(self, answer: Any) -> bool:
        """Return whether an answer is an object, as its reader expects; a list or a text in its place is none."""
        return is_object(answer if self.body is None else self.body(answer))

    def stripped(self, answer: Any) -> Any:
        """Return a copy of an answer without such texts; the answer itself where there are none."""
        return self.edit(answer, partial(_without_unlisted, known=self.known)) if self.read(answer) else answer

    def edited(self, answer: Any, texts: Mapping[tuple[Place, int], str]) -> Any:
        """Return a copy of an answer with other such texts, by their places and their numbers there."""
        return self.edit(answer, partial(_with_unlisted, known=self.known, texts=texts))


def is_object(body: Any) -> bool:
    """Return whether the body of an answer, or of a chunk, is an object; a list or a text in its place is none."""
    return not isinstance(body, (list, str))


def known_of_body(body: Any, known: Known) -> Known:
    """Return what is known of a body: nothing where it is no object, so that all of it is read."""
    return known if is_object(body) else _UNLISTED


def has_unlisted(value: Any, known: Known) -> bool:
    """Return whether an object may hold a text in a field that is not known.

    Asked of every chunk of a stream: of an object whose fields have types that were met before, it is known where to
    look.
    """
    pending = [(value, known)]
    for value, known in pending:
        kind = value.__class__
        if kind is list:
            pending += zip(value, repeat(known.of_items()))
            continue
        if kind is dict:
            fields, extra = value, value
        else:
            extra = getattr(value, "__pydantic_extra__", value)
            if extra is value:
                if _has_no_words(value) or (known.is_text and isinstance(value, str)):
                    continue
                return True
            fields = {**value.__dict__, **extra} if extra else value.__dict__
        while known.choose is not None:
            known = known.choose(fields)  # noqa: PLW2901
        shape = (kind, *((extra and fields) or ()), *map(type, fields.values()))
        inside = known.inside.get(shape)
        if inside is None:
            inside = _look_inside(fields, known, extra, shape)
            if inside is None:
                return True
        for name, inner in inside:
            pending.append((fields[name], inner))
    return False


_Inside: TypeAlias = tuple[tuple[str, Known], ...]
_MAX_SHAPES = 256
_MAX_FIELDS = 64


def _look_inside(fields: Mapping[str, Any], known: Known, extra: Any, shape: tuple[Any, ...]) -> _Inside | None:
    """Return those fields of an object that are looked into, with what is known of each; None if one is not known.

    That is remembered, unless it depends on more than the types of the values.
    """
    made = known.made.difference(extra or ())
    inside: list[tuple[str, Known]] = []
    is_of_types = len(fields) <= _MAX_FIELDS and len(known.inside) < _MAX_SHAPES
    for name, value in fields.items():
        inner = known.inner.get(name) or (None if name in known.names else known.rest)
        if name in made or inner is WHOLE or (value.__class__ in _LEAVES and value.__class__ is not str):
            continue
        if inner is not None and not (isinstance(value, str) or _is_leaf(value)):
            inside.append((name, inner))
        elif isinstance(value, str) and (name in known.names if inner is None else inner.is_text):
            _LEAVES.add(value.__class__)
        elif _is_leaf(value) and not (isinstance(value, str) and value):
            is_of_types = is_of_types and value.__class__ in _LEAVES and not isinstance(value, str)
        else:
            return None
    if is_of_types:
        known.inside[shape] = tuple(inside)
    return tuple(inside)


_LEAVES: set[type] = {str, int, float, bool, bytes, type(None)}
"""Types of values without fields that were met so far."""


def _is_leaf(value: Any) -> bool:
    """Return whether a value has no fields and holds no other values, and remember its type."""
    if isinstance(value, (str, int, float, bytes, Enum, date, timedelta)) or value is None:
        _LEAVES.add(value.__class__)
        return True
    if isinstance(value, (list, tuple, dict)):
        return not value
    kind: Any = value.__class__
    if getattr(kind, "__pydantic_fields__", None) == {} and kind.model_config.get("extra") != "allow":
        _LEAVES.add(kind)  # a client's mark for a field that is not set
    return not getattr(value, "__dict__", True) and not getattr(value, "__pydantic_extra__", None)


def _has_no_words(value: Any) -> bool:
    return not isinstance(value, str) and _is_leaf(value)


def unlisted_texts(value: Any, known: Known) -> list[Unlisted]:
    """Return the texts of an object in fields that are not known, in order."""
    found: list[Unlisted] = []

    def take(choice: int, path: Path, text: str) -> str:
        found.append(Unlisted(choice, path, text))
        return text

    _changed(value, known, take, 0, ())
    return found


def _without_unlisted(value: Any, known: Known) -> Any:
    return _changed(value, known_of_body(value, known), lambda choice, path, text: "", 0, ())


def _with_unlisted(value: Any, known: Known, texts: Mapping[tuple[Place, int], str]) -> Any:
    numbers: dict[Place, Iterator[int]] = defaultdict(count)

    def put(choice: int, path: Path, text: str) -> str:
        return texts.get(((choice, path), next(numbers[choice, path])), text)

    return _changed(value, known_of_body(value, known), put, 0, ())


_UNLISTED = known()
"""What is known of objects in a field that is not known: nothing."""
_Change: TypeAlias = Callable[[int, Path, str], str]


def _changed(value: Any, known: Known, change: _Change, choice: int, path: Path) -> Any:
    """Return a copy of a value with its unlisted texts changed, or the value itself where none is."""
    if known is WHOLE:
        return value
    if isinstance(value, str):
        return change(choice, path, value) if value and not known.is_text else value
    if isinstance(value, (list, tuple)):
        known = known.of_items()
        items = [_changed(each, known, change, choice, path) for each in value]
        return value if all(map(is_, items, value)) else items
    fields, sent = _fields_of(value)
    while known.choose is not None:
        known = known.choose(fields)
    if known is WHOLE:
        return value
    made = known.made.difference(sent)
    number = fields.get(known.index)
    choice = number if known.index and number.__class__ is int else choice
    changes: dict[str, Any] = {}
    for name, each in fields.items():
        inside = known.inner.get(name)
        if inside is None:
            if name in made or (name in known.names and isinstance(each, str)):
                continue
            inside = known.rest if known.rest and name not in known.names else _UNLISTED
        new = _changed(each, inside, change, choice, (*path, str(name)))
        if new is not each:
            changes[name] = new
    return copy_with(value, **changes) if changes else value


def _fields_of(value: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the fields of an object, none for what is no object, and those of them that the service sent."""
    if isinstance(value, Mapping):
        return value, value
    if not hasattr(value, "__dict__") or _is_leaf(value):
        return {}, {}
    extra = getattr(value, "__pydantic_extra__", None) or {}
    return {**vars(value), **extra}, extra
