"""Copies of calls whose arguments can be read only once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from specspan.instrument.adapter import Invocation

_LEAVES = frozenset((str, int, float, bool, bytes, type(None)))
_SCHEMAS = frozenset(("parameters", "input_schema", "schema"))
"""Names of JSON schemas, which are long and of which no client reads an iterator."""
_MAX_DEPTH = 12


def buffer_iterators(invocation: Invocation) -> Invocation:
    """Return the call with a list in place of each iterator in its arguments, at any depth.

    What holds an iterator is copied, and nothing that the application owns is changed. Files are left as they are.
    """
    args = _buffered_list(invocation.args, 0)
    kwargs = _buffered_dict(invocation.kwargs, 0)
    if args is invocation.args and kwargs is invocation.kwargs:
        return invocation
    return replace(invocation, args=tuple(args), kwargs=kwargs)


def _buffered(value: Any, depth: int) -> Any:
    kind = value.__class__
    if depth > _MAX_DEPTH:
        return value
    if kind is dict:
        return _buffered_dict(value, depth)
    if kind is list or kind is tuple:
        return _buffered_list(value, depth)
    if hasattr(kind, "__next__"):
        return value if hasattr(kind, "read") else [_buffered(each, depth + 1) for each in value]
    if hasattr(kind, "model_fields_set"):
        return _buffered_model(value, depth)
    return value


def _buffered_dict(values: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
    changes: dict[str, Any] | None = None
    for name, value in values.items():
        if value.__class__ not in _LEAVES and name not in _SCHEMAS:
            buffered = _buffered(value, depth + 1)
            if buffered is not value:
                changes = {} if changes is None else changes
                changes[name] = buffered
    return values if changes is None else {**values, **changes}


def _buffered_list(values: Any, depth: int) -> Any:
    changed = None
    for position, value in enumerate(values):
        if value.__class__ not in _LEAVES:
            buffered = _buffered(value, depth + 1)
            if buffered is not value:
                changed = list(values) if changed is None else changed
                changed[position] = buffered
    if changed is None:
        return values
    return tuple(changed) if values.__class__ is tuple else changed


def _buffered_model(value: Any, depth: int) -> Any:
    """Return a client's object, copied where one of its fields holds an iterator."""
    fields = value.__dict__
    buffered = _buffered_dict(fields, depth)
    if buffered is fields:
        return value
    return value.model_copy(update={name: new for name, new in buffered.items() if new is not fields[name]})
