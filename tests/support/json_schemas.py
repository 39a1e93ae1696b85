"""As much of JSON Schema as ours use, so that a test can ask whether a schema admits a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}
_IGNORED = {"$schema", "$defs", "title", "description", "default", "examples", "format"}


def admits(schema: Mapping[str, Any], value: Any, root: Mapping[str, Any] | None = None) -> bool:
    """Whether the schema admits the value. A keyword that is not known here is a mistake of the test."""
    root = schema if root is None else root
    return all(_holds(key, said, schema, value, root) for key, said in schema.items() if key not in _IGNORED)


def _holds(key: str, said: Any, schema: Mapping[str, Any], value: Any, root: Mapping[str, Any]) -> bool:  # noqa: C901
    match key:
        case "$ref":
            return admits(_target(said, root), value, root)
        case "anyOf":
            return any(admits(each, value, root) for each in said)
        case "type":
            return any(_is(value, name) for name in ([said] if isinstance(said, str) else said))
        case "enum":
            return value in said
        case "const":
            return bool(value == said)
        case "properties":
            return not isinstance(value, dict) or all(
                admits(each, value[name], root) for name, each in said.items() if name in value
            )
        case "additionalProperties":
            return not isinstance(value, dict) or all(
                said if isinstance(said, bool) else admits(said, each, root)
                for name, each in value.items()
                if name not in schema.get("properties", {})
            )
        case "items":
            return not isinstance(value, list) or all(admits(said, each, root) for each in value)
        case "required":
            return not isinstance(value, dict) or set(said) <= set(value)
        case "minProperties" | "minItems":
            return not isinstance(value, dict if key == "minProperties" else list) or len(value) >= said
        case "maxProperties":
            return not isinstance(value, dict) or len(value) <= said
        case "minLength":
            return not isinstance(value, str) or len(value) >= said
        case "minimum":
            return not _is(value, "number") or value >= said
        case "maximum":
            return not _is(value, "number") or value <= said
        case "exclusiveMinimum":
            return not _is(value, "number") or value > said
    raise NotImplementedError(f"{key!r} in {schema}")


def _is(value: Any, name: str) -> bool:
    return isinstance(value, _TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def _target(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    assert reference.startswith("#/$defs/"), reference
    name = reference.removeprefix("#/$defs/").replace("~1", "/").replace("~0", "~")
    found: Mapping[str, Any] = root["$defs"][name]
    return found
