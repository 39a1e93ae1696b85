"""Exemplars of traces that are kept, for OpenTelemetry's SDK: by its own filter, only sampled traces have some."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.util.types import Attributes

from specspan.record.sampling import Keep, reason_to_keep


class OfKeptTraces(TraceBasedExemplarFilter):
    """Takes what was measured in a sampled span, and what itself says that its trace is kept.

    A violation is counted under the very attribute for which its span, and so its trace, is kept. Of other measurements
    in a trace that chance left out, nobody knows yet whether an exemplar would lead anywhere.
    """

    def __init__(self, keep: frozenset[Keep]) -> None:
        self._keep = keep

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Whether the measurement may become an exemplar."""
        if super().should_sample(value, time_unix_nano, attributes, context):
            return True
        in_a_trace = trace.get_current_span(context).get_span_context().is_valid
        return in_a_trace and reason_to_keep(attributes or {}, self._keep) is not None
