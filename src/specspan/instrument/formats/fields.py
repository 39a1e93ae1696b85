"""Readers and copy helpers for the values that clients hand over.

A value is a dict of the application's or an object of the client's. A value of an unexpected shape is left out and
counted (``content``, ``not_understood``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, TypeAlias

from specspan._support import drop_counts
from specspan._support.interruption import raise_interruption
from specspan.call import Media, Part, Reasoning, Refusal, Text, ToolCall, ToolCallResponse, Unknown

Fields: TypeAlias = Mapping[str, Any]
ReplaceText: TypeAlias = Callable[[Any, str], Any]
"""Returns a copy of a value with another text in one place."""
EditableParts: TypeAlias = Iterable[tuple[Part, ReplaceText | None]]
"""Parts of a value, each with the function that replaces its text; None where its text cannot be replaced."""


def as_mapping(value: Any) -> Fields:
    """Return the fields of a dict or of a client's object; an empty mapping for None and for a value without fields."""
    if value.__class__ is dict:
        attributes: Fields = value
        return attributes
    if value is None:
        return {}
    if _is_mapping_type(value.__class__):
        other_mapping: Fields = value
        return other_mapping
    try:
        attributes = vars(value)
    except TypeError as error:
        raise_interruption(error)
        count_not_understood()
        return {}
    extra = getattr(value, "__pydantic_extra__", None)  # fields unknown to this version of the client
    return {**attributes, **extra} if extra else attributes


@lru_cache(maxsize=256)
def _is_mapping_type(cls: type) -> bool:
    return issubclass(cls, Mapping)


def copy_with(value: Any, **changes: Any) -> Any:
    """Return a copy of ``value`` with other values in the given fields."""
    return {**value, **changes} if isinstance(value, Mapping) else value.model_copy(update=changes)


def cleared(value: Any, *names: str) -> dict[str, None]:
    """Return the changes that set to None those of the named fields that hold something."""
    fields = as_mapping(value)
    return {name: None for name in names if fields.get(name)}


def as_list(value: Any) -> Iterable[Any]:
    """Return a list as it is; an empty one for None and for a value that is not iterable."""
    if value.__class__ is list:
        items: list[Any] = value
        return items
    if value is None:
        return ()
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        count_not_understood()
        return ()
    return value


def list_or_item(value: Any) -> Iterable[Any]:
    """Return a list as it is, and one of a single item for a value that is not a list as it should be."""
    if value.__class__ is list or (isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))):
        items: Iterable[Any] = value
        return items
    count_not_understood()
    return (value,)


def unknown_part(kind: object) -> Unknown:
    """Return the part that stands for an unknown kind of content, and count it."""
    count_not_understood()
    return _as_unknown(kind)


def unread_part(value: Any, known: frozenset[str], kind: str) -> Unknown | None:
    """Return the part for a value of which nothing was read, though it holds a text; None where it holds none.

    ``known`` are the fields that were looked at, or in which no model writes.
    """
    if not value:
        return None
    has_fields = isinstance(value, Mapping) or hasattr(value, "__dict__")
    rest = [each for name, each in as_mapping(value).items() if name not in known] if has_fields else value
    return unknown_part(kind) if next(texts_in(rest), None) is not None else None


_PART_TYPES = frozenset(each.type for each in (Text, Reasoning, Refusal, ToolCall, ToolCallResponse, Media))


def _as_unknown(kind: object) -> Unknown:
    name = str(kind)
    return Unknown(f"unread_{name}" if name in _PART_TYPES else name)


_is_read_again: ContextVar[bool] = ContextVar("specspan.is_read_again", default=False)


@contextmanager
def uncounted() -> Iterator[None]:
    """Count nothing of what a block reads, because it is read, and counted, elsewhere too."""
    token = _is_read_again.set(True)
    try:
        yield
    finally:
        _is_read_again.reset(token)


def count_not_understood() -> None:
    """Count a value that does not have the expected shape."""
    if not _is_read_again.get():
        drop_counts.count("content", "not_understood")


def as_count(value: Any) -> int | None:
    """Return a number of tokens, or None if the service sent none; some services write ``28.0`` for 28."""
    if value is None or value.__class__ is int:
        number: int | None = value
        return number
    if value.__class__ is float and value.is_integer():
        return int(value)
    count_not_understood()
    return None


_MAX_INDEX_DIGITS = 20


def as_index(value: Any) -> int | None:
    """Return the number of a choice, an item or a part; None where the service sent none that can be read."""
    if value.__class__ is int:
        number: int = value
        return number
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) < _MAX_INDEX_DIGITS:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    count_not_understood()
    return None


def attributes_of(value: Any) -> Fields:
    """Return the fields that a client declares for an object, or those of a dict; an empty mapping for anything else.

    Cheaper than `as_mapping`, for what every chunk of a stream holds.
    """
    if value.__class__ is dict:
        fields: Fields = value
        return fields
    try:
        fields = value.__dict__
    except AttributeError:
        return value if isinstance(value, Mapping) else {}
    return fields if fields or not isinstance(value, dict) else value


def all_fields_of(value: Any) -> Fields:
    """Return what `attributes_of` returns, with the fields that a client does not declare."""
    fields = attributes_of(value)
    extra = getattr(value, "__pydantic_extra__", None)
    return {**fields, **extra} if extra else fields


def as_str(value: Any) -> str | None:
    """Return a text, a name or an id, or None if the service sent none."""
    if value is None or isinstance(value, str):
        return value
    count_not_understood()
    return None


_MAX_TEXT_DEPTH = 8


def read_text(value: Any, depth: int = 0) -> str | None:
    """Return the text in a value that should be one, or None if it holds no text.

    Some services write a list of texts, or an object with a text, in place of a text.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bytes, bool)) or depth > _MAX_TEXT_DEPTH:
        return None
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        texts = [text for each in value if (text := read_text(each, depth + 1)) is not None]
        return "".join(texts) if texts else None
    return read_text(as_mapping(value).get("text"), depth + 1)


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in dicts, lists and a client's objects, at any depth."""
    if isinstance(value, str):
        if value:
            yield value
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from texts_in(each)
    elif isinstance(value, Mapping) or hasattr(value, "model_fields_set"):
        yield from texts_in(list(as_mapping(value).values()))


def read_name(value: Any) -> str:
    """Return a name, which is empty where none can be read."""
    if not isinstance(value, str):
        count_not_understood()
    return read_text(value) or ""


def text_part(value: Any, kind: str, make: Callable[[str], Part] = Text) -> Part:
    """Return the part for a value that should be a text, or an unknown part of this kind if it holds something else."""
    text = read_text(value)
    if text is not None and value.__class__ is str:
        return make(text)
    count_not_understood()
    return make(text or "") if text is not None or not value else _as_unknown(kind)


def replace_texts(value: Any, places: Callable[[Fields], EditableParts], texts: Iterable[str | None]) -> Any:
    """Return a copy of ``value`` with the given texts in place of those of its parts.

    One item of ``texts`` is taken for each part; None keeps the part as it is.

    Raises:
        LookupError: the text of a part cannot be replaced.
    """
    for (_, put_text), text in zip(places(as_mapping(value)), texts):  # noqa: B905 - there may be more texts
        value = replace_part(value, put_text, text)
    return value


def replace_part(value: Any, replace: ReplaceText | None, text: str | None) -> Any:
    """Return a copy of ``value`` with another text in one of its parts, or ``value`` itself if ``text`` is None.

    Raises:
        LookupError: the text of this part cannot be replaced.
    """
    if text is None:
        return value
    if replace is None:
        raise LookupError("the text of this part cannot be replaced")
    return replace(value, text)


def replace_in_list(name: str, index: int, field: str, **rest: Any) -> ReplaceText:
    """Return a function that replaces one field of one item of a list.

    ``rest`` are values for fields of the same item, set only where they hold something: they repeat or depend on the
    text.
    """

    def replace(value: Any, text: str) -> Any:
        items = list(as_mapping(value)[name])
        before = as_mapping(items[index])
        items[index] = copy_with(items[index], **{field: text}, **{key: rest[key] for key in rest if before.get(key)})
        return copy_with(value, **{name: items})

    return replace


_ENCRYPTED_FIELDS = ("encrypted_content", "encrypted_index", "encrypted_stdout")
_BINARY_FIELDS = ("data", *_ENCRYPTED_FIELDS)


def to_plain_data(value: Any) -> Any:
    """Return dicts and lists in place of a client's objects, without fields of binary or encrypted data."""
    if isinstance(value, (list, tuple)):
        return [to_plain_data(each) for each in value]
    if isinstance(value, Mapping) or hasattr(value, "model_fields_set"):
        fields = as_mapping(value)
        omitted = _ENCRYPTED_FIELDS if fields.get("type") == "text" else _BINARY_FIELDS
        return {name: to_plain_data(each) for name, each in fields.items() if each is not None and name not in omitted}
    return value


def parse_arguments(arguments: Any) -> Any:
    """Return the arguments of a tool call, parsed if they are JSON."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError) as error:
        raise_interruption(error)
        return arguments


def media_reference(uri: Any) -> tuple[str | None, str | None]:
    """Return URI and MIME type of a medium, without the bytes that a ``data:`` URI carries."""
    if isinstance(uri, str) and uri.startswith("data:"):
        return None, uri[len("data:") : len("data:") + 256].partition(",")[0].partition(";")[0] or None
    return (uri if isinstance(uri, str) else None), None


_FINISH_REASONS: Mapping[str, tuple[str, ...]] = {
    "stop": ("end_turn", "stop_sequence", "complete", "eos", "finish", "finished", "stop_criteria_met", "endoftext"),
    "length": ("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "tool_calls": ("tool_use", "tool_call"),
    "content_filter": ("refusal", "content_filtered", "guardrail_intervened", "safety", "recitation", "error_toxic"),
}
_FINISH_REASON_BY_ALIAS: Mapping[str, str] = {
    each: word for word, known in _FINISH_REASONS.items() for each in (word, *known)
}


def as_finish_reason(reason: Any, *, wants_tool: bool = False) -> str | None:
    """Return a provider's finish reason in the words of the GenAI conventions, which are those of OpenAI's chat
    completions.

    A reason without an equivalent is returned unchanged. ``wants_tool`` tells of a service without a word for tool
    calls whether the answer holds some.
    """
    known = _FINISH_REASON_BY_ALIAS.get(reason.lower(), reason) if isinstance(reason, str) else None
    return "tool_calls" if wants_tool and known == "stop" else known
