"""A structured file as its model sees it, or what is wrong with it, each with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from specspan._support.messages import Problems, did_you_mean, format_value, quoted_list
from specspan.documents.node import Node, PathTo, key_of
from specspan.errors import Problem

# MERGED translation: What pydantic finds wrong, in the words of somebody who writes a file.


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


def translated(error: ValidationError, schema: Mapping[str, Any]) -> Iterator[tuple[PathTo, str, str]]:
    """Pydantic's findings as path, message and remedy. ``schema`` (JSON Schema) knows the keys that exist."""
    for details in error.errors(include_url=False):
        yield details["loc"], *_worded(details, schema)


def _worded(details: ErrorDetails, schema: Mapping[str, Any]) -> tuple[str, str]:
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
        return str(context["message"]), str(context["remedy"])
    message = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return f"{format_value(value)} is refused: {message[:1].lower()}{message[1:]}", "Correct the value."


def _unknown_key(path: PathTo, schema: Mapping[str, Any]) -> tuple[str, str]:
    key, known = str(path[-1]), keys_at(schema, path[:-1])
    return f"{format_value(key)} is no key here", did_you_mean(
        key, known, f"Known here: {quoted_list(known)}." if known else "Remove it."
    )


def _unknown_word(value: Any, expected: str) -> tuple[str, str]:
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    return f"{format_value(value)} is none of {', '.join(words)}", did_you_mean(str(value), words, "Write one of them.")


def keys_at(schema: Mapping[str, Any], path: PathTo) -> list[str]:
    """The keys that a JSON Schema knows at ``path``; none where it names none."""
    nodes = _expanded(schema, schema)
    for step in path:
        nodes = [found for node in nodes for child in _below(node, step) for found in _expanded(schema, child)]
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _below(node: Mapping[str, Any], step: str | int) -> list[Mapping[str, Any]]:
    """The schemas of the value that stands under ``step``; several where a list names its places apart."""
    candidates = (
        [node.get("items"), *node.get("prefixItems", [])]
        if isinstance(step, int)
        else [node.get("properties", {}).get(step, node.get("additionalProperties"))]
    )
    return [candidate for candidate in candidates if isinstance(candidate, Mapping)]


def _expanded(schema: Mapping[str, Any], node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A schema without references, and its alternatives one by one."""
    if "$ref" in node:
        return _expanded(schema, schema.get("$defs", {}).get(str(node["$ref"]).rsplit("/", 1)[-1], {}))
    alternatives = [*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())]
    return [node, *(found for alternative in alternatives for found in _expanded(schema, alternative))]


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], root: Node, problems: Problems) -> Model | None:
    """The whole file as ``model``; None when it is refused, and why is added to ``problems``.

    Validated as JSON: there pydantic's strict mode still reads words and dates from text, and nothing else from text.
    """
    try:
        return model.model_validate_json(json.dumps(root.value))
    except ValidationError as error:
        for path, message, remedy in translated(error, model.model_json_schema()):
            problems.add(Problem(message, remedy, root.at(path).line, key_of(path)))
    return None
