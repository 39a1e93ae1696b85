"""JSON Schema of a policy file, for editors; `policy.schema.json` is its published copy, with the built-in checks.

Beside the models it describes what they read beyond: a path alone for a spec, a key with nothing under it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from specspan.checks.check import CheckKindModule
from specspan.documents.json_schema import Schema, map_schemas, prefix_definitions, reference
from specspan.policy.schema import LimitsEntry, PolicyFile

SCHEMA_FILE = "policy.schema.json"
"""Name of the file that a first policy refers editors to."""

_EMPTY_ALLOWED = ("ClauseEntry", "DefaultsEntry", "EnvironmentEntry")
_EMPTY_KEYS = ("clauses", "context", "environments")


def schema_text(kinds: Mapping[str, CheckKindModule]) -> str:
    """Return the text of the schema, with these kinds of check."""
    return json.dumps(policy_schema(kinds), indent=2, sort_keys=True) + "\n"


def policy_schema(kinds: Mapping[str, CheckKindModule]) -> Schema:
    """Return the schema, with these kinds of check."""
    schema = map_schemas(PolicyFile.model_json_schema(), _strip_noise)
    definitions = schema["$defs"]
    definitions["SpecEntry"] = {"anyOf": [{"type": "string"}, definitions["SpecEntry"]]}
    for name in _EMPTY_ALLOWED:
        _allow_null(definitions[name])
    for holder in (schema, definitions["EnvironmentEntry"]):
        for key in _EMPTY_KEYS:
            _allow_null(holder["properties"].get(key, {}))
    for key in ("checks", "checks+"):
        definitions["ClauseEntry"]["properties"][key]["anyOf"][0]["items"] = reference("Check")
    definitions |= _check_definitions(kinds)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "A policy as specspan reads it",
    }


def _strip_noise(schema: Schema) -> Schema:
    """Remove what gets in an editor's way: titles made of names, and defaults of null."""
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def _allow_null(schema: Schema) -> None:
    if schema.get("type") == "object":
        schema["type"] = ["object", "null"]


def _check_definitions(kinds: Mapping[str, CheckKindModule]) -> Schema:
    """Return the definitions of a check by its kind, and of the configuration of each kind."""
    definitions: Schema = {
        "Check": {
            "description": "One kind of check, and its configuration.",
            "type": "object",
            "properties": {key: reference(f"check.{key}") for key in kinds},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        }
    }
    limits = map_schemas(LimitsEntry.model_json_schema(), _strip_noise)["properties"]
    for key, kind in kinds.items():
        schema = map_schemas(prefix_definitions(kind.SCHEMA, f"check.{key}."), _strip_noise)
        definitions |= schema.pop("$defs", {})
        definitions[f"check.{key}"] = _add_limits(schema, limits)
    return definitions


def _add_limits(schema: Schema, limits: Schema) -> Schema:
    """Add the limits that any check may have to the configuration of a kind, or to each of its forms."""
    for form in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if "properties" in form:
            form["properties"] = {**limits, **form["properties"]}
    return schema
