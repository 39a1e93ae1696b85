"""Decision records in files: a record on each line, or OTLP's JSON as a Collector's file exporter writes it. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Record = dict[str, Any]

_TYPES = ("decision", "policy", "finding")


class InvalidLine(ValueError):
    """Line that is not JSON of either form."""


def read_records(line: str) -> tuple[list[Record], int]:
    """Return the records on one line, and the number of log records on it that are none.

    Raises:
        InvalidLine: the line is not a JSON object.
    """
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidLine(str(error)) from error
    if not isinstance(value, dict):
        raise InvalidLine("it is not an object")
    if "resourceLogs" not in value:
        return ([value], 0) if is_record(value) else ([], 1)
    bodies = list(_bodies(value))
    records = [body for body in bodies if is_record(body)]
    return records, len(bodies) - len(records)


def is_record(value: Any) -> bool:
    """Return whether a value is a record of a decision, a policy or a late finding."""
    return isinstance(value, dict) and value.get("type") in _TYPES and value.get("v") in (1, 2)


def _bodies(request: Mapping[str, Any]) -> Iterator[Any]:
    # https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    for of_resource in _objects(request.get("resourceLogs")):
        for of_scope in _objects(of_resource.get("scopeLogs")):
            for log_record in _objects(of_scope.get("logRecords")):
                yield _record_in(_value(log_record.get("body")))


def _value(value: Any) -> Any:
    """Return the value of OTLP's ``AnyValue`` in JSON."""
    if not isinstance(value, Mapping):
        return None
    for kind, content in value.items():
        if kind == "kvlistValue":
            pairs = _objects(_mapping(content).get("values"))
            return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs}
        if kind == "arrayValue":
            return [_value(item) for item in _objects(_mapping(content).get("values"))]
        if kind == "intValue":  # a string, as JSON's numbers have 53 bits
            return int(content)
        if kind == "doubleValue":
            return float(content)
        if kind == "bytesValue":
            return base64.b64decode(content)
        return content
    return None


def _record_in(text: Any) -> Any:
    """Return the record that a body's text is, where an exporter made text of it; else the text."""
    if isinstance(text, str) and text.startswith("{") and '"type"' in text:
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return text
        if is_record(value):
            return value
    return text


def _objects(value: Any) -> Iterable[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, Sequence) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
