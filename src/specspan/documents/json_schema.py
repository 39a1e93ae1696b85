"""Changing JSON Schemas: every schema inside one, and its definitions put where references look for them.

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


def changed(schema: Mapping[str, Any], change: Callable[[Schema], Schema]) -> Schema:
    """A copy with ``change`` made to it and to every schema in it, the inner ones first. Examples are no schemas."""

    def below(value: Any) -> Any:
        return changed(value, change) if isinstance(value, Mapping) else value  # true and false are schemas, too

    made = dict(schema)
    for key, value in schema.items():
        if key in _BY_NAME:
            made[key] = {name: below(each) for name, each in value.items()}
        elif key in _LISTED:
            made[key] = [below(each) for each in value]
        elif key in _SINGLE:
            made[key] = below(value)
    return change(made)


def hoisted(schema: Mapping[str, Any]) -> Schema:
    """The same with all definitions at its top: a schema that was put into another brings its own along."""
    found: Schema = {}

    def gather(each: Schema) -> Schema:
        found.update(each.pop("$defs", {}))
        return each

    made = changed(schema, gather)
    return {**made, "$defs": found} if found else made


def prefixed(schema: Mapping[str, Any], prefix: str) -> Schema:
    """The same with all definitions hoisted, ``prefix`` before their names: so they can stand among those of others."""

    def rename(each: Schema) -> Schema:
        target = each.get("$ref")
        if isinstance(target, str) and target.startswith(_REFERENCE):
            each["$ref"] = f"{_REFERENCE}{_escaped(prefix)}{target.removeprefix(_REFERENCE)}"
        return each

    made = changed(hoisted(schema), rename)
    if "$defs" in made:
        made["$defs"] = {f"{prefix}{name}": each for name, each in made["$defs"].items()}
    return made


def reference(name: str) -> Schema:
    """A schema that is the definition of this name."""
    return {"$ref": _REFERENCE + _escaped(name)}


def _escaped(name: str) -> str:
    """A name as JSON Pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
