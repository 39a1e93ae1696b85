"""Call of a decision in a store, as its span holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from specspan.bridges.dialect import RecordedSpan
from specspan.bridges.dialects.gen_ai import DIALECT
from specspan.call import ModelCall, Side
from specspan.stores.protocols import StoreReader


def stored_call(reader: StoreReader, decision: Mapping[str, Any]) -> ModelCall | None:
    """Return the call of a decision, as its span holds it; None where its content was not recorded."""
    for span in reader.spans(decision["trace_id"]) if decision.get("trace_id") else ():
        if span.span_id == decision.get("span_id"):
            call = DIALECT.read(RecordedSpan(span.attributes, failed=span.status == "ERROR"))
            is_read = call is not None and call.gaps.input is None and not call.gaps.reason_for((Side.OUTPUT,))
            return call if is_read and call is not None and call.output else None
    return None
