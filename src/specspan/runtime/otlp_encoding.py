"""Encoding of OTLP batches in which an attribute that many items share is encoded once.

A protobuf message is the concatenation of its fields, so the bytes of an attribute serve every span, event and log
record that has it. What is rare (links, bodies, values of other types) is encoded by OpenTelemetry's own functions.
https://protobuf.dev/programming-guides/encoding/, opentelemetry-proto v1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from specspan._support.guard import guard
from specspan._support.otel_private import replace_global_of_method
from specspan.record.pacing import Pacer

_KEPT = frozenset((str, bool, int))
"""Types of values whose encoding is kept: no others are always hashable, and equal only to what is encoded alike."""
_MAX_KEPT = 4096
_MAX_KEPT_CHARS = 256
_SPAN_ATTRIBUTES, _LOG_ATTRIBUTES, _EVENT_ATTRIBUTES = b"\x4a", b"\x32", b"\x1a"  # fields 9, 6 and 3, each a message
_EVENTS = b"\x5a"  # field 11 of a span
_ITEMS, _SCOPES, _RESOURCES = b"\x12", b"\x12", b"\x0a"  # fields 2, 2 and 1: spans or log records, and what holds them
_KEY, _VALUE = b"\x0a", b"\x12"  # fields 1 and 2 of an attribute
_STRING, _BOOL, _INT, _DOUBLE, _ARRAY = b"\x0a", b"\x10", b"\x18", b"\x21", b"\x2a"  # fields 1 to 5 of a value
_ELEMENT = b"\x0a"  # field 1 of an array
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200
_INT64 = 2**63


class EncodedRequest:
    """Request that is encoded already, in the place of a protobuf message."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Return the bytes of the request."""
        return self._data

    SerializePartialToString = SerializeToString


class AttributeEncoder:
    """Encoder of the attributes of one kind of item, which keeps the bytes of those that may well come again."""

    def __init__(self, tag: bytes) -> None:
        """Encode each attribute as a field of ``tag``."""
        self._tag = tag
        self._known: dict[tuple[str, Any, type], bytes] = {}

    def encode(self, attributes: Mapping[str, Any] | None) -> bytes | None:
        """Return the bytes of all attributes; None where a value is of a type that is left to OpenTelemetry."""
        if not attributes:
            return b""
        known, parts = self._known, []
        # OpenTelemetry's own mapping, whose views step through Python for every item, has a copy that is a dictionary
        copy = getattr(attributes, "copy", None)
        for key, value in (attributes if copy is None else copy()).items():
            kind = value.__class__
            data = known.get((key, value, kind)) if kind in _KEPT else None
            if data is None:
                try:
                    data = self._encode_new(key, value, kind)
                except ValueError:
                    return None
            parts.append(data)
        return b"".join(parts)

    def _encode_new(self, key: str, value: Any, kind: type) -> bytes:
        """Return the bytes of one attribute.

        Raises:
            ValueError: the value is left to OpenTelemetry.
        """
        data = _field(self._tag, _field(_KEY, key.encode()) + _field(_VALUE, _any_value(value, kind)))
        if kind in _KEPT and (kind is not str or len(value) <= _MAX_KEPT_CHARS):
            if len(self._known) >= _MAX_KEPT:
                self._known.clear()
            self._known[key, value, kind] = data
        return data


class BatchEncoder:
    """Encoder of the batches of one exporter."""

    def __init__(self) -> None:
        self._span_attributes = AttributeEncoder(_SPAN_ATTRIBUTES)
        self._event_attributes = AttributeEncoder(_EVENT_ATTRIBUTES)
        self._log_attributes = AttributeEncoder(_LOG_ATTRIBUTES)

    def encode_spans(self, spans: Sequence[Any]) -> Any:
        """Return the request that carries ``spans``, as OpenTelemetry's function of this name would encode it."""
        return self._encode(spans, encode_spans, self._encode_span, ("resource_spans", "scope_spans", "spans"))

    def encode_logs(self, batch: Sequence[Any]) -> Any:
        """Return the request that carries log records, as OpenTelemetry's function of this name would encode it."""
        names = ("resource_logs", "scope_logs", "log_records")
        return self._encode(batch, encode_logs, self._encode_log, names)

    def _encode(
        self,
        items: Sequence[Any],
        encode_all: Callable[[Sequence[Any]], Any],
        encode_one: Callable[[Any], bytes | None],
        names: tuple[str, str, str],
    ) -> Any:
        with guard("runtime.otlp_encoding"):
            pacer = Pacer()
            groups: dict[tuple[int, int], list[bytes]] = {}
            first: dict[tuple[int, int], Any] = {}
            for item in items:
                key = id(item.resource), id(item.instrumentation_scope)
                data = encode_one(item)
                if data is None:
                    data = _only_item(encode_all([item]), names).SerializeToString()
                groups.setdefault(key, []).append(_field(_ITEMS, data))
                first.setdefault(key, item)
                pacer.pause_if_due()
            return EncodedRequest(
                b"".join(_wrap(encode_all([first[key]]), names, b"".join(parts)) for key, parts in groups.items())
            )
        return encode_all(items)

    def _encode_span(self, span: Any) -> bytes | None:
        attributes = None if span.links else self._span_attributes.encode(span.attributes)
        events = self._encode_events(span.events)
        if attributes is None or events is None:
            return None
        context, parent, status = span.get_span_context(), span.parent, span.status
        message = Span(
            trace_id=context.trace_id.to_bytes(16, "big"),
            span_id=context.span_id.to_bytes(8, "big"),
            parent_span_id=b"" if parent is None else parent.span_id.to_bytes(8, "big"),
            name=span.name,
            kind=span.kind.value + 1,  # OTLP's 0 is "unspecified"
            start_time_unix_nano=span.start_time,
            end_time_unix_nano=span.end_time,
            dropped_attributes_count=span.dropped_attributes,
            dropped_events_count=span.dropped_events,
            dropped_links_count=span.dropped_links,
            flags=_HAS_IS_REMOTE | (_IS_REMOTE if parent is not None and parent.is_remote else 0),
        )
        message.status.code = status.status_code.value
        if status.description:
            message.status.message = status.description
        if context.trace_state:
            message.trace_state = ",".join(f"{key}={value}" for key, value in context.trace_state.items())
        data: bytes = message.SerializeToString()
        return data + attributes + events

    def _encode_events(self, events: Sequence[Any]) -> bytes | None:
        parts = []
        for event in events:
            attributes = self._event_attributes.encode(event.attributes)
            if attributes is None:
                return None
            message = Span.Event(
                time_unix_nano=event.timestamp,
                name=event.name,
                dropped_attributes_count=event.dropped_attributes,
            )
            parts.append(_field(_EVENTS, message.SerializeToString() + attributes))
        return b"".join(parts)

    def _encode_log(self, item: Any) -> bytes | None:
        record = item.log_record
        attributes = self._log_attributes.encode(record.attributes)
        if attributes is None or record.body is not None:
            return None
        message = LogRecord(
            time_unix_nano=record.timestamp,
            observed_time_unix_nano=record.observed_timestamp,
            trace_id=record.trace_id.to_bytes(16, "big") if record.trace_id else b"",
            span_id=record.span_id.to_bytes(8, "big") if record.span_id else b"",
            flags=int(record.trace_flags),
            severity_text=record.severity_text,
            dropped_attributes_count=item.dropped_attributes,
            event_name=record.event_name,
        )
        if record.severity_number is not None:
            message.severity_number = record.severity_number.value
        message.body.SetInParent()
        data: bytes = message.SerializeToString()
        return data + attributes


def share_encodings(exporter: Any) -> None:
    """Have an OTLP exporter over HTTP that was made here encode by a `BatchEncoder`; leave any other as it is."""
    encoder = BatchEncoder()
    replace_global_of_method(exporter, "export", "encode_spans", encoder.encode_spans)
    replace_global_of_method(exporter, "export", "encode_logs", encoder.encode_logs)


def _any_value(value: Any, kind: type) -> bytes:
    """Return the message of a value.

    Raises:
        ValueError: it is of another type, an integer of more than 64 bits or a text with a lone surrogate.
    """
    if kind is str:
        return _field(_STRING, value.encode())
    if kind is bool:
        return _BOOL + (b"\x01" if value else b"\x00")
    if kind is int and -_INT64 <= value < _INT64:
        return _INT + _varint(value % (2 * _INT64))
    if kind is float:
        return _DOUBLE + struct.pack("<d", value)
    if kind is tuple and all(item.__class__ is str for item in value):
        return _field(_ARRAY, b"".join([_field(_ELEMENT, _field(_STRING, item.encode())) for item in value]))
    raise ValueError(value)


def _only_item(request: Any, names: tuple[str, str, str]) -> Any:
    resources, scopes, items = names
    return getattr(getattr(getattr(request, resources)[0], scopes)[0], items)[0]


def _wrap(request: Any, names: tuple[str, str, str], items: bytes) -> bytes:
    """Return the field of a request with one resource and scope, with ``items`` in place of the request's own."""
    resource = getattr(request, names[0])[0]
    scope = getattr(resource, names[1])[0]
    scope.ClearField(names[2])
    scope_data = scope.SerializeToString() + items
    resource.ClearField(names[1])
    return _field(_RESOURCES, resource.SerializeToString() + _field(_SCOPES, scope_data))


def _field(tag: bytes, data: bytes) -> bytes:
    length = len(data)
    return tag + (_SHORT[length] if length < 0x80 else _varint(length)) + data


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SHORT[number]
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


_SHORT = [number.to_bytes(1, "big") for number in range(0x80)]
