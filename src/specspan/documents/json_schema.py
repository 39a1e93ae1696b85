"""Transformations of JSON Schemas: of every schema inside one, and of its definitions.

https://json-schema.org/draft/2020-12/json-schema-core#section-10
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]

_BY_NAME = frozenset(("properties", "patternProperties", "$defs"))
_LISTED = frozenset(("anyOf", "oneOf", "allOf", "prefixItems"))
_SINGLE = frozenset(("items", "additionalProperties", "propertyNames", "not"))
_REFERENCE = "#/$defs/"


def map_schemas(schema: Mapping[str, Any], change: Callable[[Schema], Schema]) -> Schema:
    """Return a copy with ``change`` applied to it and to every schema in it, the inner ones first, not to examples."""

    def map_value(value: Any) -> Any:
        return map_schemas(value, change) if isinstance(value, Mapping) else value  # true and false are schemas, too

    copy = dict(schema)
    for key, value in schema.items():
        if key in _BY_NAME:
            copy[key] = {name: map_value(each) for name, each in value.items()}
        elif key in _LISTED:
            copy[key] = [map_value(each) for each in value]
        elif key in _SINGLE:
            copy[key] = map_value(value)
    return change(copy)


def hoist_definitions(schema: Mapping[str, Any]) -> Schema:
    """Return a copy with the definitions of all schemas in it at its top, where references look for them."""
    definitions: Schema = {}

    def take_definitions(each: Schema) -> Schema:
        definitions.update(each.pop("$defs", {}))
        return each

    copy = map_schemas(schema, take_definitions)
    return {**copy, "$defs": definitions} if definitions else copy


def prefix_definitions(schema: Mapping[str, Any], prefix: str) -> Schema:
    """Return a copy with hoisted definitions whose names begin with ``prefix``, to tell them from those of others."""

    def prefix_reference(each: Schema) -> Schema:
        target = each.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            each["$ref"] = f"{_REFERENCE}{_escape(prefix)}{target.removeprefix(_REFERENCE)}"
        return each

    copy = map_schemas(hoist_definitions(schema), prefix_reference)
    if "$defs" in copy:
        copy["$defs"] = {f"{prefix}{name}": each for name, each in copy["$defs"].items()}
    return copy


def reference(name: str) -> Schema:
    """Return a schema that refers to the definition of this name."""
    return {"$ref": _REFERENCE + _escape(name)}


def _escape(name: str) -> str:
    """Return a name as JSON Pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
