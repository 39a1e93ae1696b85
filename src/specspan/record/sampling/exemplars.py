"""Filter of exemplars for OpenTelemetry's SDK that takes those of traces that are kept."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import TraceBasedExemplarFilter
from opentelemetry.util.types import Attributes

from specspan.record.sampling.rules import Keep, reason_to_keep


class KeptTraceExemplarFilter(TraceBasedExemplarFilter):
    """Exemplar filter that takes measurements in sampled spans, and those that show that their trace is kept.

    A violation is counted under the very attribute for which its span, and so its trace, is kept. Of other measurements
    in a trace that chance left out, nobody knows yet whether an exemplar would lead anywhere.
    """

    def __init__(self, keep: frozenset[Keep]) -> None:
        self._keep = keep

    def should_sample(self, value: float, time_unix_nano: int, attributes: Attributes, context: Context) -> bool:
        """Return whether the measurement may become an exemplar."""
        if super().should_sample(value, time_unix_nano, attributes, context):
            return True
        in_a_trace = trace.get_current_span(context).get_span_context().is_valid
        return in_a_trace and reason_to_keep(attributes or {}, self._keep) is not None
