"""Kind ``json_schema``: an answer is JSON that a schema describes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import Field

from specspan._support.files import read_text_file
from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.detectors.detector_check import NEEDED_SIDES, TextConfig
from specspan.checks.detectors.requirements import require
from specspan.checks.detectors.text_check import TextCheck, by_message
from specspan.checks.patterns import Pattern
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome
from specspan.documents.json_schema import hoist_definitions
from specspan.errors import ConfigurationError

KIND = "json_schema"

NOT_JSON = Finding(Outcome.VIOLATED, "not_json")
TOO_DEEP = Finding(Outcome.VIOLATED, "too_deep")
TOO_LONG = Finding(Outcome.VIOLATED, "too_long")
MAX_CHARS = 1_000_000
_MAX_BYTES = 4 << 20
_FENCE = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*\Z", re.DOTALL | re.IGNORECASE)
_TIMEOUT_S = 1.0


class JsonSchemaConfig(TextConfig):
    """Configuration under ``json_schema`` in a policy file."""

    schema_: dict[str, Any] | bool | None = Field(default=None, alias="schema")
    """The schema; its draft is that of its ``$schema``, else 2020-12."""
    file: str | None = None
    """Path of a file with the schema."""
    fenced: bool = True
    """Whether the JSON may stand in a fence of three backticks."""
    max_chars: int = Field(default=MAX_CHARS, ge=1)
    """Length over which an answer is a violation without being read."""


SCHEMA = hoist_definitions(
    {
        **JsonSchemaConfig.model_json_schema(),
        "description": "an answer is JSON that a schema describes",
        "examples": [{"schema": {"type": "object", "required": ["answer"]}}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``json_schema`` in a policy file."""
    config = JsonSchemaConfig.model_validate(configuration if configuration is not None else {})
    validator = _validator(_schema_of(config))
    traits = CheckTraits(
        config.stage, reads_roles=config.read_roles(), needs=NEEDED_SIDES[config.stage], timeout_s=_TIMEOUT_S
    )
    ref = CheckRef(config.name or KIND, CheckMechanism.CODE, config.version)

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        results = (_decide("".join(part.text for part in parts), validator, config) for parts in by_message(texts))
        return next((result for result in results if result is not True), True)

    return TextCheck(ref, traits, decide)


def _schema_of(config: JsonSchemaConfig) -> Any:
    if (config.schema_ is None) == (config.file is None):
        raise CheckConfigError("a JSON check needs either `schema` or `file`", "Give one of the two.")
    if config.file is None:
        return config.schema_
    try:
        return json.loads(
            read_text_file(config.file, what="schema", max_bytes=_MAX_BYTES, error=ConfigurationError).text
        )
    except ConfigurationError as error:
        raise CheckConfigError(str(error), "Give the path of a file that can be read.", "file") from None
    except ValueError as error:
        raise CheckConfigError(f"schema {config.file!r}: {error}", "Write a file of JSON.", "file") from None


def _validator(schema: Any) -> Any:
    """Return a validator that runs patterns by RE2 and fetches nothing."""
    jsonschema = require("jsonschema", "jsonschema", "`json_schema`")
    base = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        base.check_schema(schema)
    except jsonschema.SchemaError as error:
        where = error.json_path
        raise CheckConfigError(f"invalid schema at {where}: {error.message}", "Correct the schema.", "schema") from None
    _refuse_what_cannot_run(schema)

    def check_pattern(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _pattern(pattern).matches(instance):
            yield jsonschema.ValidationError("does not match the pattern")

    def check_properties(validator: Any, patterns: Mapping[str, Any], instance: Any, __: Any) -> Iterator[Any]:
        for source, subschema in patterns.items() if isinstance(instance, dict) else ():
            for name, value in instance.items():
                if _pattern(source).matches(name):
                    yield from validator.descend(value, subschema, path=name, schema_path=source)

    own = {"pattern": check_pattern, "patternProperties": check_properties}
    return jsonschema.validators.extend(base, own)(schema)


def _refuse_what_cannot_run(schema: Any) -> None:
    """Raise `CheckConfigError` for a reference that would be fetched, and for a pattern that needs backtracking."""
    for keyword, value in _keywords(schema):
        if keyword == "$ref" and isinstance(value, str) and re.match(r"[a-z]+:", value):
            raise CheckConfigError(f"reference to {value!r}: nothing is fetched", "Copy it below $defs.", "schema")
        patterns = value if keyword == "patternProperties" and isinstance(value, Mapping) else ()
        for each in (value,) if keyword == "pattern" and isinstance(value, str) else patterns:
            _pattern(each)


def _keywords(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            yield key, value
            yield from _keywords(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _keywords(each)


@lru_cache(512)
def _pattern(source: str) -> Pattern:
    return Pattern(source)


def _decide(text: str, validator: Any, config: JsonSchemaConfig) -> CheckResult:
    if len(text) > config.max_chars:
        return TOO_LONG
    fenced = _FENCE.match(text) if config.fenced else None
    try:
        value = json.loads(text if fenced is None else fenced[1], parse_constant=_refuse)
        error = next(validator.iter_errors(value), None)
    except RecursionError:
        return TOO_DEEP
    except ValueError:
        return NOT_JSON
    if error is None:
        return True
    return Finding(Outcome.VIOLATED, "schema_mismatch", explanation=f"{error.json_path}: {error.validator}")


def _refuse(name: str) -> Any:
    raise ValueError(f"unknown constant {name}")
