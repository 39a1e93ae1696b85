"""Sharing of one span per call with other instrumentation.

Other instrumentation may be around ours, inside it, or in the client itself. Where its span is around a call, that span
is the call's: it is annotated, and no second one is made. Where it would start a span inside a call of ours, it is
handed ours: facts about the connection are noted on it, facts about the call are left out, since ours are there
already. So is content, which other instrumentation reads before it is redacted.

Spans count as shared only where both go to the same tracer provider.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, get_current_span, set_span_in_context
from opentelemetry.util.types import AttributeValue

from specspan._support.guard import guard
from specspan._support.otel_private import processor_of_span, scope_name
from specspan._support.process import Undo
from specspan.call import ToolCall
from specspan.instrument.patches import replace_function
from specspan.instrument.proxies import ObjectProxy
from specspan.record import foreign_conventions
from specspan.record.call_end import NOT_SHARED, EndKind, SharedWith
from specspan.record.conventions import INSTRUMENTATION_NAME, OPERATION_NAME, REQUEST_MODEL, TOOL_NAME
from specspan.record.recorder import Recorder

_ACTIVE_CALL = create_key("specspan-active-call")
_CURRENT_SPAN = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""Key of the current span. Every call sets two values, and one at a time takes twice as long."""

_METRIC_SCOPES = ("opentelemetry.instrumentation.", "opentelemetry.util.genai.", "pydantic-ai")
"""Scopes that make the conventions' metrics of a call, too."""
_METRIC_SCOPES_WITHOUT_STREAMED_TOKENS = ("opentelemetry.instrumentation.openai_v2",)
"""Those of them that measure the duration of a streamed call, and not its tokens."""
_LATE_ATTRIBUTE_SCOPES = ("mistralai_sdk_tracer",)
"""Scopes that set the attributes of a span after its start. Inside a call, each such span is an attempt at it."""
_SCOPES_LEAVING_BROKEN_STREAMS_OPEN = ("opentelemetry.instrumentation.botocore",)
"""Scopes that never end the span of a stream that is stopped or left unread, nor measure the call."""
_BROKEN_ENDINGS = (EndKind.BLOCKED, EndKind.ABANDONED)

_claimed_spans: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()
"""Spans of other instrumentation that already stand for a call, by trace and span id."""


def is_model_call(attributes: Mapping[str, Any]) -> bool:
    """Return whether a span with these attributes is that of a model call, in any of the known dialects."""
    if attributes.get(foreign_conventions.LOGFIRE_SPAN_TYPE) == foreign_conventions.LOGFIRE_LOG:
        return False  # Logfire logs a streamed answer, after it was read, in the form of a span
    operation = attributes.get(OPERATION_NAME)
    if operation is not None:
        return str(operation) in foreign_conventions.MODEL_OPERATIONS
    return REQUEST_MODEL in attributes or any(
        str(attributes[name]) in values
        for name, values in foreign_conventions.MODEL_CALL_MARKERS.items()
        if name in attributes
    )


def is_tool_run(tool: ToolCall, attributes: Mapping[str, Any]) -> bool:
    """Return whether a span with these attributes is that of a run of ``tool``."""
    operation, name = attributes.get(OPERATION_NAME), attributes.get(TOOL_NAME)
    return (operation, name) == ("execute_tool", tool.name)


def claim_enclosing_span(recorder: Recorder, executes: ToolCall | None = None) -> Span | None:
    """Return the current span where other instrumentation made it for the call that is about to be made.

    It is one of a model call, or of a run of the tool that ``executes`` names. Each span is returned once: a second
    call inside it is another call.
    """
    if not otel_context.get_current():
        return None
    span: Any = get_current_span()
    if span is INVALID_SPAN or scope_name(span) in (None, INSTRUMENTATION_NAME):
        return None
    context, attributes = span.get_span_context(), getattr(span, "attributes", None) or {}
    if is_claimed(context):
        return None
    if not (is_model_call(attributes) if executes is None else is_tool_run(executes, attributes)):
        return None
    _claimed_spans[context.trace_id, context.span_id] = span  # also where it goes elsewhere: the call is known
    enclosing: Span = span
    return enclosing if recorder.can_write_on(span) else None


def is_claimed(context: SpanContext | None) -> bool:
    """Return whether the open span of ``context`` already stands for a call."""
    return context is not None and (context.trace_id, context.span_id) in _claimed_spans


def shared_metrics(scope: str | None, *, streaming: bool) -> SharedWith:
    """Return which of a call's metrics the scope makes; None, as the scope, makes none."""
    tokens = scope is not None and not (streaming and scope.startswith(_METRIC_SCOPES_WITHOUT_STREAMED_TOKENS))
    return SharedWith(duration=scope is not None, tokens=tokens)


def measuring_scope(source: Any) -> str | None:
    """Return the scope of a span or a tracer where it makes the conventions' metrics of a call."""
    scope = scope_name(source)
    return scope if scope is not None and scope.startswith(_METRIC_SCOPES) else None


class ActiveCall:
    """Call of ours under way, with its span for any tracer that would start another one for it."""

    __slots__ = ("_measuring_scope", "_served_scopes", "executes", "gateway", "joined", "package", "span")

    def __init__(
        self,
        package: str | None,
        span: Span,
        *,
        joined: bool = False,
        executes: ToolCall | None = None,
        gateway: bool = False,
    ) -> None:
        """Hold the span of a call.

        Args:
            package: the package of the client that makes the call; None for a tool's run or a decorated function.
            span: the span of the call.
            joined: True where other instrumentation made the span, and ends it.
            executes: the tool call that is carried out, of a tool's run.
            gateway: True where calls of other clients are part of this call.
        """
        self.package = package
        self.gateway = gateway
        self.executes = executes
        self.span = span
        self.joined = joined
        self._measuring_scope = measuring_scope(span) if joined else None
        self._served_scopes: frozenset[str] = frozenset()

    def contains(self, package: str | None) -> bool:
        """Return whether a call of a client from ``package``, made inside this one, is part of it."""
        return package is not None and (self.gateway or self.package == package)

    def sharing(self, ending: EndKind, *, streaming: bool) -> SharedWith:
        """Return what other instrumentation records about the call, now that it ended."""
        scope = self._measuring_scope
        if not self.joined and scope is None:
            return NOT_SHARED
        if (
            streaming
            and scope is not None
            and ending in _BROKEN_ENDINGS
            and scope.startswith(_SCOPES_LEAVING_BROKEN_STREAMS_OPEN)
        ):
            return NOT_SHARED
        return shared_metrics(scope, streaming=streaming)._replace(span=self.joined)

    def span_for(self, tracer: Any, attributes: Mapping[str, Any] | None) -> Span | None:
        """Return the call's span for a tracer that would start one with these attributes; None for any other span.

        Each scope gets it once: a second span of that scope belongs to another call, such as one that a tool makes.
        """
        scope = scope_name(tracer)
        if self.package is None or scope is None or scope == INSTRUMENTATION_NAME or scope in self._served_scopes:
            return None
        provider = getattr(tracer, "span_processor", None)
        if provider is None or provider is not processor_of_span(self.span):
            return None
        if attributes or scope not in _LATE_ATTRIBUTE_SCOPES:
            if not attributes or not is_model_call(attributes):
                return None
            self._served_scopes |= {scope}
        self._measuring_scope = self._measuring_scope or measuring_scope(tracer)
        shared: Any = SharedSpan(self.span)
        shared.set_attributes(attributes or {})
        return shared  # type: ignore[no-any-return]


def context_during(call: ActiveCall) -> Context:
    """Return the current context as it is while ``call`` is made, with its span current."""
    return Context({**otel_context.get_current(), _CURRENT_SPAN: call.span, _ACTIVE_CALL: call})


def active_call_in(context: Context) -> ActiveCall | None:
    """Return the call that is being made in ``context``."""
    return context.get(_ACTIVE_CALL)  # type: ignore[return-value]  # nobody else has the key


class SharedSpan(ObjectProxy):
    """Span of ours for other instrumentation, which may note facts about the connection on it, and nothing else."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        if key.startswith(foreign_conventions.CONNECTION_PREFIXES) and self._self_wrapped.is_recording():
            self._self_wrapped.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def end(self, end_time: int | None = None) -> None: ...

    def add_event(self, *_: Any, **__: Any) -> None: ...

    def add_link(self, *_: Any, **__: Any) -> None: ...

    def update_name(self, name: str) -> None: ...

    def set_status(self, *_: Any, **__: Any) -> None: ...

    def record_exception(self, *_: Any, **__: Any) -> None: ...

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None: ...


def share_spans() -> Undo:
    """Have every tracer hand out the span of a call under way instead of a second one. Returns the undo function."""

    def make(start: Any, undo: Undo) -> Any:
        def start_span(self: Any, name: str, context: Context | None = None, *args: Any, **kwargs: Any) -> Any:
            if not undo.is_done:
                call = active_call_in(otel_context.get_current() if context is None else context)
                if call is not None:
                    with guard("instrument.share_spans"):
                        shared = call.span_for(self, _attributes(args, kwargs))
                        if shared is not None:
                            return shared
            return start(self, name, context, *args, **kwargs)

        return start_span

    return replace_function("opentelemetry.sdk.trace:Tracer.start_span", make)


def _attributes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the attributes given to ``start_span``, by name or by position after the kind."""
    attributes: Mapping[str, Any] | None = kwargs.get("attributes", args[1] if len(args) > 1 else None)
    return attributes
