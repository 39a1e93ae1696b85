"""One span for one call, whoever else traces it.

Somebody else's instrumentation may be around ours, inside it, or in the client itself. Where a span of theirs is around
a call, that span is the call's: it is annotated, and no second one is made. Where they would start one inside a call of
ours, they are lent ours: what they note of the connection is on it, what they say of the call is what we say too. Their
content is left out: they read what was not redacted yet.

A call counts as theirs or ours by the provider of tracers: spans that go elsewhere are nobody's second ones.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context, create_key
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, get_current_span, set_span_in_context
from opentelemetry.util.types import AttributeValue

from specspan._support.guard import guard
from specspan.call import ToolCall
from specspan.instrument.proxies import ObjectProxy
from specspan.record.call_end import ALONE, EndKind, Sharing
from specspan.record.conventions import INSTRUMENTATION_NAME
from specspan.record.recorder import Recorder

_LOAN = create_key("specspan-loan")
_SPAN = next(iter(set_span_in_context(INVALID_SPAN, Context())))
"""The key of the current span: every call sets two values, and one at a time takes twice as long."""
_MODEL_OPERATIONS = frozenset(("chat", "text_completion", "generate_content", "embeddings"))
_MARKS: Mapping[str, frozenset[str]] = {
    "openinference.span.kind": frozenset(("LLM", "EMBEDDING")),
    "llm.request.type": frozenset(("chat", "completion", "embedding")),
    "traceloop.span.kind": frozenset(("llm",)),
    "langsmith.span.kind": frozenset(("llm",)),
    "mlflow.spanType": frozenset(("CHAT_MODEL", "LLM", "EMBEDDING", '"CHAT_MODEL"', '"LLM"', '"EMBEDDING"')),
}
"""How the spans of model calls are marked that know no operation name."""
_FACTS = ("http.", "url.", "network.", "anthropic.request.", "anthropic.organization.", "anthropic.workspace.")
"""What others know of a call and we do not: how it was carried."""
_MEASURES = ("opentelemetry.instrumentation.", "opentelemetry.util.genai.", "pydantic-ai")
"""Scopes that make the conventions' metrics of a call, too."""
_MEASURES_NO_STREAMED_TOKENS = ("opentelemetry.instrumentation.openai_v2",)
"""Those of them that measure how long a streamed call took, and not its tokens."""
_SAY_LATER = ("mistralai_sdk_tracer",)
"""Scopes whose spans are told what they are of only when they have begun. In a call, each is an attempt at it."""
_NO_END_OF_BROKEN_STREAMS = ("opentelemetry.instrumentation.botocore",)
"""Scopes whose span of a streamed call is never ended, nor the call measured, where it is stopped or left unread."""
_BROKEN = (EndKind.BLOCKED, EndKind.ABANDONED)

_LOGGED = ("logfire.span_type", "log")
"""How what is no span is marked: Logfire logs a streamed answer, once it was read, as a span without a duration."""

_annotated: weakref.WeakValueDictionary[tuple[int, int], Any] = weakref.WeakValueDictionary()
"""Spans of others that are some call's already, by trace and span."""


def is_model_call(attributes: Mapping[str, Any]) -> bool:
    """Whether a span with these attributes is that of a model call, in any of the dialects."""
    if attributes.get(_LOGGED[0]) == _LOGGED[1]:
        return False
    operation = attributes.get("gen_ai.operation.name")
    if operation is not None:
        return str(operation) in _MODEL_OPERATIONS
    return "gen_ai.request.model" in attributes or any(
        str(attributes[name]) in values for name, values in _MARKS.items() if name in attributes
    )


def is_run_of(tool: ToolCall, attributes: Mapping[str, Any]) -> bool:
    """Whether a span with these attributes is that of a run of a tool."""
    operation, name = attributes.get("gen_ai.operation.name"), attributes.get("gen_ai.tool.name")
    return (operation, name) == ("execute_tool", tool.name)


def enclosing_span(recorder: Recorder, executes: ToolCall | None = None) -> Span | None:
    """Somebody else's span of the call that is about to be made: the current one, where it is a model call's, or that
    of a run of the tool that is about to run.

    It is given once: a second call inside it is another call.
    """
    if not otel_context.get_current():
        return None
    span: Any = get_current_span()
    if span is INVALID_SPAN or _scope(span) in (None, INSTRUMENTATION_NAME):
        return None
    context, known = span.get_span_context(), getattr(span, "attributes", None) or {}
    if is_decided(context) or not (is_model_call(known) if executes is None else is_run_of(executes, known)):
        return None
    _annotated[context.trace_id, context.span_id] = span  # also where its spans go elsewhere: it is met
    found: Span = span
    return found if recorder.shares(span) else None


def measured(scope: str | None, *, streaming: bool) -> Sharing:
    """What of a call the scope sees to that makes the conventions' metrics of it; None: nobody does."""
    tokens = scope is not None and not (streaming and scope.startswith(_MEASURES_NO_STREAMED_TOKENS))
    return Sharing(duration=scope is not None, tokens=tokens)


def is_decided(context: SpanContext | None) -> bool:
    """Whether the span of ``context``, which is not ended, is some call's already."""
    return context is not None and (context.trace_id, context.span_id) in _annotated


def measured_by(maker: Any) -> str | None:
    """The scope of a span or a tracer, where it makes the conventions' metrics of a call."""
    scope = _scope(maker)
    return scope if scope is not None and scope.startswith(_MEASURES) else None


def _scope(maker: Any) -> str | None:
    """Whose a span or a tracer is."""
    scope = getattr(maker, "instrumentation_scope", None) or getattr(maker, "_instrumentation_scope", None)
    name = getattr(scope, "name", None)
    return name if isinstance(name, str) else None


class Loan:
    """A call of ours that is under way, with its span for whoever would start another one."""

    __slots__ = ("_borrowers", "_measured_by", "executes", "gateway", "joined", "package", "span")

    def __init__(
        self,
        package: str | None,
        span: Span,
        *,
        joined: bool = False,
        executes: ToolCall | None = None,
        gateway: bool = False,
    ) -> None:
        self.package = package
        self.gateway = gateway
        """Whether calls of other clients are part of it."""
        self.executes = executes
        """The tool call that is carried out, where it is that of a tool."""
        self.span = span
        self.joined = joined
        """Whether the span is somebody else's."""
        self._measured_by = measured_by(span) if joined else None
        self._borrowers: frozenset[str] = frozenset()

    def sharing(self, ending: EndKind, *, streaming: bool) -> Sharing:
        """What of the call somebody else sees to, now that it ended."""
        scope = self._measured_by
        if not self.joined and scope is None:
            return ALONE
        if streaming and scope is not None and ending in _BROKEN and scope.startswith(_NO_END_OF_BROKEN_STREAMS):
            return ALONE
        return measured(scope, streaming=streaming)._replace(span=self.joined)

    def to(self, tracer: Any, attributes: Mapping[str, Any] | None) -> Span | None:
        """The span for a tracer that would start one with these attributes; None: it is another span than the call's.

        To each scope once: what it starts then is of another call, such as one that a tool makes.
        """
        scope = _scope(tracer)
        if self.package is None or scope is None or scope == INSTRUMENTATION_NAME or scope in self._borrowers:
            return None
        says_later = scope in _SAY_LATER and not attributes
        provider = getattr(tracer, "span_processor", None)
        if provider is None or provider is not getattr(self.span, "_span_processor", None):
            return None
        if not says_later:
            if not attributes or not is_model_call(attributes):
                return None
            self._borrowers |= {scope}
        self._measured_by = self._measured_by or measured_by(tracer)
        lent = LentSpan(self.span)
        lent.set_attributes(attributes or {})
        return lent


def inside(loan: Loan) -> Context:
    """The current context as it is while the call is made: with the call's span, lent to whoever would make another."""
    return Context({**otel_context.get_current(), _SPAN: loan.span, _LOAN: loan})


def loan_in(context: Context) -> Loan | None:
    """The call that is being made in ``context``."""
    return context.get(_LOAN)  # type: ignore[return-value]  # nobody else has the key


class LentSpan(ObjectProxy):  # type: ignore[misc]  # see there
    """A span of ours in the hands of others: they may note facts on it, and neither end nor judge it."""

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        if key.startswith(_FACTS) and self.is_recording():
            self.__wrapped__.set_attribute(key, value)

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


def lend() -> Callable[[], None]:
    """Have tracers lend the span of a call under way instead of starting another. Returns what undoes it."""
    from opentelemetry.sdk.trace import Tracer

    start: Any = Tracer.start_span
    lending = True

    @functools.wraps(start)
    def start_span(self: Any, name: str, context: Context | None = None, *args: Any, **kwargs: Any) -> Any:
        loan = loan_in(otel_context.get_current() if context is None else context) if lending else None
        if loan is not None:
            with guard("instrument.lend"):
                lent = loan.to(self, _attributes(args, kwargs))
                if lent is not None:
                    return lent
        return start(self, name, context, *args, **kwargs)

    Tracer.start_span = start_span  # type: ignore[method-assign]  # that is the point

    def undo() -> None:
        nonlocal lending
        lending = False  # somebody may have wrapped it again
        if Tracer.start_span is start_span:
            Tracer.start_span = start  # type: ignore[method-assign]  # as it was

    return undo


def _attributes(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Those given to ``start_span``, by name or in their place after the kind."""
    found: Mapping[str, Any] | None = kwargs.get("attributes", args[1] if len(args) > 1 else None)
    return found
