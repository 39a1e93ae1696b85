"""Reading single attributes, whatever their values turn out to be."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from specspan.bridges.dialect import Facts
from specspan.call import NOT_COUNTED, Usage


def word(facts: Facts, *names: str) -> str | None:
    """The first of some attributes that is there and a text."""
    return next((value for name in names if isinstance(value := facts.get(name), str) and value), None)


def words(value: Any) -> tuple[str, ...]:
    """Several words, one, or JSON of several."""
    if isinstance(value, str):
        found = from_json(value) if value.startswith("[") else None
        return words(found) if isinstance(found, list) else (value,)
    return tuple(str(each) for each in value) if isinstance(value, (list, tuple)) else ()


def flag(facts: Facts, *names: str) -> bool:
    """Whether one of some attributes is true."""
    return any(facts.get(name) is True for name in names)


def usage(facts: Facts, names: Mapping[str, tuple[str, ...]]) -> Usage:
    """Token counts, each by the first of its names that is there; what nobody counted stays absent."""
    counts = {
        field: next((found for name in known if (found := _count(facts.get(name))) is not None), None)
        for field, known in names.items()
    }
    return Usage(**counts) if any(count is not None for count in counts.values()) else NOT_COUNTED


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def from_json(value: Any) -> Any:
    """What a text holds as JSON; None where it is none, or no text."""
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return None


def mapping(value: Any) -> Facts:
    """A mapping, or JSON of one; empty where it is neither."""
    found = from_json(value) if isinstance(value, str) else value
    return found if isinstance(found, Mapping) else {}


def numbered(facts: Facts, prefix: str) -> Iterator[str]:
    """The prefixes of what stands in a list whose items are attributes of their own, in the order of their numbers.

    The numbers may start anywhere and leave some out: who wrote them may have left items out.
    """
    matches = (re.match(r"(\d{1,6})(?:\.|$)", name[len(prefix) :]) for name in facts if name.startswith(prefix))
    for number in sorted({int(match[1]) for match in matches if match}):
        yield f"{prefix}{number}."
