"""Encoding of OTLP batches in which an attribute that many items share is encoded once.

A protobuf message is the concatenation of its fields, so the bytes of an attribute serve every span and log record that
has it. What is rare (events, links, bodies, values of other types) is encoded by OpenTelemetry's own functions.
https://protobuf.dev/programming-guides/encoding/, opentelemetry-proto v1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from specspan._support.guard import guard
from specspan._support.otel_private import replace_global_of_method
from specspan.record.pacing import Pacer

_MAX_CACHED = 4096
_MAX_CACHED_CHARS = 256
_SPAN_ATTRIBUTES, _LOG_ATTRIBUTES = b"\x4a", b"\x32"  # fields 9 and 6, each a message
_ITEMS, _SCOPES, _RESOURCES = b"\x12", b"\x12", b"\x0a"  # fields 2, 2 and 1: spans or log records, and what holds them
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x200


class EncodedRequest:
    """Request that is encoded already, in the place of a protobuf message."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """Return the bytes of the request."""
        return self._data

    SerializePartialToString = SerializeToString


class BatchEncoder:
    """Encoder of the batches of one exporter."""

    def __init__(self) -> None:
        self._attributes: dict[tuple[str, Any, type], bytes] = {}

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
        if span.events or span.links:
            return None
        attributes = self._encode_attributes(_SPAN_ATTRIBUTES, span.attributes)
        if attributes is None:
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
        return data + attributes

    def _encode_log(self, item: Any) -> bytes | None:
        record = item.log_record
        attributes = self._encode_attributes(_LOG_ATTRIBUTES, record.attributes)
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

    def _encode_attributes(self, tag: bytes, attributes: Mapping[str, Any] | None) -> bytes | None:
        """Return the bytes of all attributes; None where a value is of a type that is left to OpenTelemetry."""
        cache, parts = self._attributes, []
        for key, value in (attributes or {}).items():
            kind = value.__class__
            if kind is tuple and all(item.__class__ is str for item in value):
                cachable = len(value) <= 8
            elif kind is str:
                cachable = len(value) <= _MAX_CACHED_CHARS
            elif kind is bool or kind is int:
                cachable = True
            elif kind is float:
                cachable = False  # 0.0 equals -0.0
            else:
                return None
            data = cache.get((key, value, kind)) if cachable else None
            if data is None:
                try:
                    data = KeyValue(key=key, value=_any_value(value, kind)).SerializeToString()
                except ValueError:  # an integer of more than 64 bits, a lone surrogate: OpenTelemetry leaves it out
                    return None
                if cachable:
                    if len(cache) >= _MAX_CACHED:
                        cache.clear()
                    cache[key, value, kind] = data
            parts.append(_field(tag, data))
        return b"".join(parts)


def share_encodings(exporter: Any) -> None:
    """Have an OTLP exporter over HTTP that was made here encode by a `BatchEncoder`; leave any other as it is."""
    encoder = BatchEncoder()
    replace_global_of_method(exporter, "export", "encode_spans", encoder.encode_spans)
    replace_global_of_method(exporter, "export", "encode_logs", encoder.encode_logs)


def _any_value(value: Any, kind: type) -> AnyValue:
    if kind is str:
        return AnyValue(string_value=value)
    if kind is bool:
        return AnyValue(bool_value=value)
    if kind is int:
        return AnyValue(int_value=value)
    if kind is float:
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=item) for item in value]))


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
    return tag + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    if number < 0x80:
        return number.to_bytes(1, "big")
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
