"""Private parts of OpenTelemetry that specspan relies on, all named in this module.

OpenTelemetry may change them in any release. `tests/_support/test_otel_private.py` fails when one is gone.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.trace import SpanContext

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
