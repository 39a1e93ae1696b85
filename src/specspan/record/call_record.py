"""Record of a call that is over, from what the recorder is given at its end."""

from __future__ import annotations

from opentelemetry.trace import Span

from specspan.call import ModelCall
from specspan.decision import Decision
from specspan.record import attributes
from specspan.record.call_end import CallRecord, Ending, SharedWith, Timing


def make_call_record(
    span: Span, call: ModelCall, decision: Decision | None, ending: Ending, timing: Timing, shared_with: SharedWith
) -> CallRecord:
    """Return the record of a call, which holds no exception of the application's."""
    error_type = attributes.error_type(ending)
    return CallRecord(span.get_span_context(), call, decision, ending.kind, error_type, timing, shared_with)
