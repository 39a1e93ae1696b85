"""Validation of structured files by pydantic models, with problems in the words of whoever writes the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specspan._support.messages import Problems, did_you_mean, format_value, quoted_list
from specspan.documents.node import Node, PathTo, key_of
from specspan.errors import Problem

Model = TypeVar("Model", bound=BaseModel)

_EXPECTED = {
    "string_type": ("text", "Put it in quotes."),
    "list_type": ("a list", "Write a list: '[a, b]', or a line '- a' each."),
    "tuple_type": ("a list", "Write a list: '[a, b]', or a line '- a' each."),
    "dict_type": ("a mapping", "Write 'key: value' lines under it."),
    "model_type": ("a mapping", "Write 'key: value' lines under it."),
    "model_attributes_type": ("a mapping", "Write 'key: value' lines under it."),
    "bool_type": ("true or false", "Write true or false."),
    "int_type": ("a whole number", "Write a whole number, without quotes."),
    "float_type": ("a number", "Write a number, without quotes."),
}


def validate(model: type[Model], root: Node, problems: Problems) -> Model | None:
    """Return the whole file as ``model``; None when it is invalid, with the reasons added to ``problems``.

    The file is validated as JSON, where pydantic's strict mode reads enums and dates from strings, and nothing else.
    """
    try:
        return model.model_validate_json(json.dumps(root.value))
    except ValidationError as error:
        for path, message, remedy in describe_errors(error, model.model_json_schema()):
            problems.add(Problem(message, remedy, root.at(path).line, key_of(path)))
    return None


def describe_errors(error: ValidationError, schema: Mapping[str, Any]) -> Iterator[tuple[PathTo, str, str]]:
    """Yield each of pydantic's errors as path, message and remedy. ``schema`` (JSON Schema) gives the known keys."""
    for details in error.errors(include_url=False):
        yield details["loc"], *_describe_error(details, schema)


def _describe_error(details: ErrorDetails, schema: Mapping[str, Any]) -> tuple[str, str]:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "extra_forbidden":
        return _unknown_key(details["loc"], schema)
    if kind == "missing":
        key = str(details["loc"][-1])
        return f"{key!r} is missing", f"Add '{key}: …'."
    if kind in ("enum", "literal_error"):
        return _unknown_word(value, str(context["expected"]))
    if kind in _EXPECTED:
        expected, remedy = _EXPECTED[kind]
        return f"{format_value(value)} is not {expected}", remedy
    if "remedy" in context:
        return str(context.get("message", details["msg"])), str(context["remedy"])
    message = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{format_value(value)} is refused: {message[:1].lower()}{message[1:]}", "Correct the value."


def _unknown_key(path: PathTo, schema: Mapping[str, Any]) -> tuple[str, str]:
    key, known = str(path[-1]), keys_at(schema, path[:-1])
    return f"unknown key {format_value(key)}", did_you_mean(
        key, known, f"Known here: {quoted_list(known)}." if known else "Remove it."
    )


def _unknown_word(value: Any, expected: str) -> tuple[str, str]:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    return f"unknown value {format_value(value)}, not one of {', '.join(words)}", did_you_mean(
        str(value), words, "Write one of them."
    )


def keys_at(schema: Mapping[str, Any], path: PathTo) -> list[str]:
    """Return the keys that a JSON Schema names at ``path``; empty where it names none."""
    nodes = _alternatives(schema, schema)
    for step in path:
        nodes = [
            each for node in nodes for child in _schemas_below(node, step) for each in _alternatives(schema, child)
        ]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _schemas_below(node: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
    """Return the schemas of the value under ``step``; several for a list with a schema for each index."""
    candidates = (
        [node.get("items"), *node.get("prefixItems", [])]
        if isinstance(step, int)
        else [node.get("properties", {}).get(step, node.get("additionalProperties"))]
    )
    return [candidate for candidate in candidates if isinstance(candidate, Mapping)]


def _alternatives(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a schema with its reference resolved, and each of its alternatives."""
    if "$ref" in node:
        return _alternatives(schema, schema.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {}))
    options = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    return [node, *(each for option in options for each in _alternatives(schema, option))]
