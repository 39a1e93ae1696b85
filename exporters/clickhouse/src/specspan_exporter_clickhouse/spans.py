"""Spans as the Collector's table has them, read back to what was exported, as far as the table keeps it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from specspan.sqlite.model import StoredSpan

COLUMNS = """trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano, status, status_message,
    service, attributes, event_times, event_names, event_attributes, link_traces, link_spans, link_attributes,
    scope_name, scope_version, resource, is_typed"""
_TYPED = re.compile(r"(specspan\.|gen_ai\.usage\.|gen_ai\.request\.(?!model)|gen_ai\.response\.finish_reasons$)")
_TEXTS = re.compile(r"\.(id|version|digest|text|reason|name)$")
_KINDS = {"": "INTERNAL", "UNSPECIFIED": "INTERNAL"}


def read_span(row: Sequence[Any]) -> StoredSpan:
    """Return the span that a row with `COLUMNS` is. Attributes of a table of maps are texts: those of ours are read.

    Raises:
        ValueError: the row holds what is no JSON.
    """
    texts = row[:10]
    attributes, times, names, of_events, traces, spans, of_links, scope, version, resource, is_typed = row[10:]
    events = [
        {"name": name, "time_unix_nano": when, "attributes": _attributes(text, is_typed=is_typed)}
        for when, name, text in zip(times, names, of_events, strict=True)
    ]
    links = [
        {"trace_id": trace, "span_id": span, "attributes": _attributes(text, is_typed=is_typed)}
        for trace, span, text in zip(traces, spans, of_links, strict=True)
    ]
    return StoredSpan(
        trace_id=texts[0],
        span_id=texts[1],
        parent_span_id=texts[2] or None,
        name=texts[3],
        kind=_KINDS.get(texts[4], texts[4]),
        start_unix_nano=texts[5],
        end_unix_nano=texts[6],
        status=texts[7] or "UNSET",
        status_message=texts[8] or None,
        service=texts[9] or None,
        attributes=_attributes(attributes, is_typed=is_typed),
        events=events,
        links=links,
        scope={"name": scope, "version": version or None, "schema_url": "", "attributes": {}},
        resource=read_resource(resource),
    )


def read_resource(text: str) -> Mapping[str, Any]:
    """Return the attributes of a resource by dotted names.

    Raises:
        ValueError: the text is no JSON.
    """
    return dict(_flat(json.loads(text or "{}")))


def _attributes(text: str, *, is_typed: bool) -> Mapping[str, Any]:
    found = json.loads(text or "{}")
    if is_typed:
        return dict(_flat(found))
    return {name: _typed(value) if _is_typed(name) else value for name, value in found.items()}


def _is_typed(name: str) -> bool:
    return _TYPED.match(name) is not None and _TEXTS.search(name) is None


def _typed(text: str) -> Any:
    """Return the number, truth value or list that a text is of; any other text as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float, list)) else text


def _flat(value: Mapping[str, Any], prefix: str = "") -> Sequence[tuple[str, Any]]:
    """Return dotted names, which a column of the type JSON takes apart."""
    found: list[tuple[str, Any]] = []
    for name, each in value.items():
        if isinstance(each, Mapping):
            found += _flat(each, f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", each))
    return found
