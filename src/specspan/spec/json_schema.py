"""The JSON Schema of a spec in YAML or JSON, for editors; `spec.schema.json` is its published copy."""

from __future__ import annotations

import json

from specspan.spec.entries import SpecFile


def schema_text() -> str:
    """The text of the schema."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SpecFile.model_json_schema(),
        "title": "A behaviour specification as specspan reads it",
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"
