"""Reading and copying what clients hand over: dicts of the application's, or objects of the client's own.

What does not have the shape that it should is left out and counted (``content``, ``not_understood``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from specspan._support import drop_counts
from specspan.call import Part, Unknown

Fields: TypeAlias = Mapping[str, Any]
ReplaceText: TypeAlias = Callable[[Any, str], Any]
"""Gives a copy of something with another text in one place."""
EditableParts: TypeAlias = Iterable[tuple[Part, ReplaceText | None]]
"""The parts in something, each with how to put another text in its place."""


def as_mapping(thing: Any) -> Fields:
    """The fields of a dict or of a client's object; none of None and of what has none."""
    if thing.__class__ is dict:
        found: Fields = thing
        return found
    if thing is None:
        return {}
    if _is_mapping_type(thing.__class__):
        mapping: Fields = thing
        return mapping
    try:
        found = vars(thing)
    except TypeError:
        count_not_understood()
        return {}
    extra = getattr(thing, "__pydantic_extra__", None)  # what the client's version does not know
    return {**found, **extra} if extra else found


@lru_cache(maxsize=256)
def _is_mapping_type(kind: type) -> bool:
    return issubclass(kind, Mapping)


def copy_with(thing: Any, **changes: Any) -> Any:
    """A copy with other values in some fields."""
    return {**thing, **changes} if isinstance(thing, Mapping) else thing.model_copy(update=changes)


def cleared(thing: Any, *names: str) -> dict[str, None]:
    """Changes that leave nothing in those of the named fields in which there is something."""
    found = as_mapping(thing)
    return {name: None for name in names if found.get(name)}


def as_list(things: Any) -> Iterable[Any]:
    """A list as it is; nothing of None and of what is no list."""
    if things.__class__ is list:
        found: list[Any] = things
        return found
    if things is None:
        return ()
    if isinstance(things, (str, bytes, Mapping)) or not isinstance(things, Iterable):
        count_not_understood()
        return ()
    return things


def unknown_part(kind: object) -> Unknown:
    """A part that is not understood, by the provider's name for it."""
    count_not_understood()
    return Unknown(str(kind))


def count_not_understood() -> None:
    """Count something that has not the shape it should have."""
    drop_counts.count("content", "not_understood")


def as_count(value: Any) -> int | None:
    """A number of tokens; None where the service said nothing, or no number."""
    if value is None or value.__class__ is int:
        found: int | None = value
        return found
    count_not_understood()
    return None


def as_str(value: Any) -> str | None:
    """A text, a name or an id; None where the service gave none, or something else."""
    if value is None or isinstance(value, str):
        return value
    count_not_understood()
    return None


def replace_texts(thing: Any, places: Callable[[Fields], EditableParts], texts: Iterable[str | None]) -> Any:
    """A copy with each of ``texts`` that is not None in its place; from ``texts``, one is taken for each part."""
    for (_, put), text in zip(places(as_mapping(thing)), texts):  # noqa: B905 - there may be more texts
        if text is not None and put is not None:
            thing = put(thing, text)
    return thing


def replace_in_list(name: str, index: int, field: str, **rest: Any) -> ReplaceText:
    """Puts a text into a field of an item of a list, and ``rest`` beside it where there is something there."""

    def put(thing: Any, text: str) -> Any:
        items = list(as_mapping(thing)[name])
        had = as_mapping(items[index])
        items[index] = copy_with(items[index], **{field: text}, **{key: rest[key] for key in rest if had.get(key)})
        return copy_with(thing, **{name: items})

    return put


def parse_arguments(arguments: Any) -> Any:
    """The arguments of a tool call, from JSON where they are that."""
    try:
        return json.loads(arguments)
    except (TypeError, ValueError, RecursionError):
        return arguments


def media_reference(uri: Any) -> tuple[str | None, str | None]:
    """URI and MIME type of a medium; the bytes that a ``data:`` URI holds are left where they are."""
    if isinstance(uri, str) and uri.startswith("data:"):
        return None, uri[len("data:") : len("data:") + 256].partition(",")[0].partition(";")[0] or None
    return (uri if isinstance(uri, str) else None), None


# MERGED _finish_reasons: Why a model stopped, in the words of the GenAI conventions, which are those of OpenAI's
# chat completions.


_FINISH_REASONS: Mapping[str, tuple[str, ...]] = {
    "stop": ("end_turn", "stop_sequence", "complete", "eos", "finish", "finished", "stop_criteria_met"),
    "length": ("max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"),
    "tool_calls": ("tool_use", "tool_call"),
    "content_filter": ("refusal", "content_filtered", "guardrail_intervened", "safety", "recitation", "error_toxic"),
}
_FINISH_REASON_BY_ALIAS: Mapping[str, str] = {
    each: word for word, known in _FINISH_REASONS.items() for each in (word, *known)
}


def as_finish_reason(said: Any, *, wants_tool: bool = False) -> str | None:
    """A provider's word for why the model stopped, in the conventions'; one they have none for stays as it came.

    ``wants_tool``: of a service without a word of its own for that, whether there is a tool to be called.
    """
    known = _FINISH_REASON_BY_ALIAS.get(said.lower(), said) if isinstance(said, str) else None
    return "tool_calls" if wants_tool and known == "stop" else known
