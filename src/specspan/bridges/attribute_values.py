"""Readers of single attribute values, whatever type they have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from specspan.bridges.dialect import Attributes
from specspan.call import NOT_COUNTED, Usage


def first_str(attributes: Attributes, *names: str) -> str | None:
    """Return the first of the named attributes that is a non-empty text."""
    return next((value for name in names if isinstance(value := attributes.get(name), str) and value), None)


def as_strings(value: Any) -> tuple[str, ...]:
    """Return the texts in a list, in a JSON list, or in a single text."""
    if isinstance(value, str):
        items = parse_json(value) if value.startswith("[") else None
        return as_strings(items) if isinstance(items, list) else (value,)
    return tuple(str(each) for each in value) if isinstance(value, (list, tuple)) else ()


def is_any_true(attributes: Attributes, *names: str) -> bool:
    """Return whether one of the named attributes is true."""
    return any(attributes.get(name) is True for name in names)


def read_usage(attributes: Attributes, names: Mapping[str, tuple[str, ...]]) -> Usage:
    """Read token counts, each from the first of its names with a number; absent counts stay absent."""
    counts = {
        field: next((count for name in known if (count := _as_count(attributes.get(name))) is not None), None)
        for field, known in names.items()
    }
    return Usage(**counts) if any(count is not None for count in counts.values()) else NOT_COUNTED


def _as_count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_json(value: Any) -> Any:
    """Return the value of a JSON text, or None for anything else."""
    try:
        return json.loads(value)
    except (TypeError, ValueError, RecursionError):
        return None


def as_mapping(value: Any) -> Attributes:
    """Return a mapping or the mapping in a JSON text, or an empty mapping for anything else."""
    parsed = parse_json(value) if isinstance(value, str) else value
    return parsed if isinstance(parsed, Mapping) else {}


def item_prefixes(attributes: Attributes, prefix: str) -> Iterator[str]:
    """Yield the attribute prefixes of the items of a numbered list, in the order of their numbers.

    The numbers may start anywhere and have gaps, because the writer may have left items out.
    """
    matches = (re.match(r"(\d{1,6})(?:\.|$)", name[len(prefix) :]) for name in attributes if name.startswith(prefix))
    for number in sorted({int(match[1]) for match in matches if match}):
        yield f"{prefix}{number}."
