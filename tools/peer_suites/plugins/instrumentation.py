"""Plug-in of pytest that instruments the process as an application would, and counts what is recorded.

`PEER_POLICY` and `PEER_POLICY_MODE` name the policy and its mode; `PEER_RECORDED` names the file for the counts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

import specspan
from specspan._support import drop_counts


class _Counter(SpanProcessor):
    """Counter of spans and decision records."""

    def __init__(self) -> None:
        self.spans = 0
        self.decisions = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Count a span that ended."""
        self.spans += 1

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Count a batch of decision records."""
        self.decisions += len(records)


_counter = _Counter()


def _instrument() -> None:
    provider = TracerProvider()
    provider.add_span_processor(_counter)
    specspan.configure(
        os.environ["PEER_POLICY"],
        mode=os.environ["PEER_POLICY_MODE"],
        tracer_provider=provider,
        decision_exporters=(_counter,),
    )
    specspan.instrument()


def pytest_sessionfinish() -> None:
    """Write down what was counted."""
    specspan.force_flush(30)
    failures = {place: count for (kind, place), count in drop_counts.totals().items() if kind == "internal"}
    counts = {"spans": _counter.spans, "decisions": _counter.decisions, "failures": failures}
    Path(os.environ["PEER_RECORDED"]).write_text(json.dumps(counts), encoding="utf-8")


_instrument()
