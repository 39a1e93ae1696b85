"""Private parts of OpenTelemetry that specspan relies on, all named in this module.

OpenTelemetry may change them in any release. `tests/_support/test_otel_private.py` fails when one is gone.
"""

from __future__ import annotations

import copy
import functools
import sys
from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanContext

if TYPE_CHECKING:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.sampling import Sampler

SUPPRESS_INSTRUMENTATION_KEY = otel_context._SUPPRESS_INSTRUMENTATION_KEY
"""Key of the context under which instrumentation is told to record nothing."""


def processor_of_tracer(tracer: Any) -> Any | None:
    """Return the span processor of a tracer, or of the tracer that a proxy stands for; None where there is none."""
    while not hasattr(tracer, "span_processor"):
        inner = getattr(tracer, "_tracer", None) or getattr(tracer, "tracer", None)
        if inner is None or inner is tracer:
            return None
        tracer = inner
    return tracer.span_processor


def processor_of_span(span: Any) -> Any | None:
    """Return the span processor that a span goes to when it ends; None for a span that goes nowhere."""
    return getattr(span, "_span_processor", None)


def set_clean_attributes(span: Span, values: Mapping[str, Any]) -> None:
    """Set attributes that are valid as they are, without the SDK's look at each of them.

    Names are not empty, and values are strings, numbers, booleans, or tuples of strings. Where the SDK's limits may
    cut or drop any, where one is there already, and for spans that are not the SDK's, the span's own method is called.
    """
    if not (_is_written_by_sdk(span.__class__) and _update_attributes(span, values)):
        span.set_attributes(values)


def add_clean_event(span: Span, name: str, values: dict[str, Any]) -> None:
    """Add an event whose attributes are valid as they are, see `set_clean_attributes`; the event keeps ``values``."""
    if not (_is_written_by_sdk(span.__class__) and _append_event(span, name, values)):
        span.add_event(name, values)


def _update_attributes(span: Any, values: Mapping[str, Any]) -> bool:
    try:
        with span._lock:
            bounded = span._attributes
            with bounded._lock:
                kept = bounded._dict
                is_cut = bounded.max_value_len is not None or not _fits(len(kept) + len(values), bounded.maxlen)
                if is_cut or span._end_time is not None or not kept.keys().isdisjoint(values):
                    return False
                kept.update(values)
    except AttributeError:
        return False
    return True


def _append_event(span: Any, name: str, values: dict[str, Any]) -> bool:
    from opentelemetry.attributes import BoundedAttributes
    from opentelemetry.sdk.trace import Event

    try:
        limits = span._limits
        if limits.max_attribute_length is not None or not _fits(len(values), limits.max_event_attributes):
            return False
        bounded = BoundedAttributes(limits.max_event_attributes)
        bounded._dict = values
        span._add_event(Event(name, bounded))
    except AttributeError:
        return False
    return True


def _fits(count: int, limit: int | None) -> bool:
    return limit is None or count <= limit


@functools.lru_cache(maxsize=64)
def _is_written_by_sdk(kind: type) -> bool:
    """Return whether attributes and events of spans of a class are set by the SDK's own methods."""
    sdk = sys.modules.get("opentelemetry.sdk.trace")
    if sdk is None or not issubclass(kind, sdk.Span):
        return False
    return all(getattr(kind, name) is getattr(sdk.Span, name) for name in ("set_attributes", "add_event"))


def scope_name(source: Any) -> str | None:
    """Return the name of the instrumentation scope of a span or a tracer; None where it has none."""
    scope = getattr(source, "instrumentation_scope", None) or getattr(source, "_instrumentation_scope", None)
    name = getattr(scope, "name", None)
    return name if isinstance(name, str) else None


def replace_global_of_method(owner: Any, method: str, name: str, value: object) -> None:
    """Have one object's method find ``value`` in place of a function of its module; no other object is affected.

    OpenTelemetry's OTLP exporters take their encoder from their module. Where a version does not, nothing changes.
    """
    function = getattr(type(owner), method, None)
    if not isinstance(function, FunctionType) or name not in function.__code__.co_names:
        return
    module = {**function.__globals__, name: value}
    copied = FunctionType(function.__code__, module, function.__name__, function.__defaults__, function.__closure__)
    setattr(owner, method, MethodType(copied, owner))


def sampler_from_env() -> Sampler:
    """Return the sampler that ``OTEL_TRACES_SAMPLER`` names."""
    from opentelemetry.sdk.trace import sampling  # the SDK is slow to import

    return sampling._get_from_env_or_default()


def report_drops(processor: Any, report: Callable[[str, int], None]) -> None:
    """Have a batch processor of the SDK tell each loss of its own, with its reason: a full queue, or its shutdown.

    Where a version of the SDK does not count them, nothing changes.
    """
    counts = getattr(getattr(processor, "_batch_processor", None), "_metrics", None)
    drop_items = getattr(counts, "drop_items", None)
    if counts is None or drop_items is None:
        return

    def reporting(count: int, error_type: str = "queue_full") -> None:
        report("shutdown" if error_type == "already_shutdown" else error_type, count)
        drop_items(count, error_type)

    counts.drop_items = reporting


def items_left(processor: Any) -> int:
    """Return the number of items in the queue of a batch processor of the SDK; 0 where it cannot be told."""
    queue = getattr(getattr(processor, "_batch_processor", None), "_queue", None)
    return 0 if queue is None else len(queue)


def shuts_down_at_exit(provider: Any) -> bool:
    """Return whether one of the SDK's providers has registered its own shutdown with `atexit`."""
    handler = getattr(provider, "_atexit_handler", None) or getattr(provider, "_at_exit_handler", None)
    return handler is not None


def copy_span(span: ReadableSpan, context: SpanContext, attributes: BoundedAttributes) -> ReadableSpan:
    """Return a copy of an ended span with another context and other attributes.

    The public constructor of a span loses how many attributes, events and links were dropped from it.
    """
    copied = copy.copy(span)
    copied._context = context
    copied._attributes = attributes
    return copied
