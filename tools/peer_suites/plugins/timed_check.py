"""Check of `timed.yaml`, which reads a call and finds nothing."""

from __future__ import annotations

import specspan


def find_nothing(call: specspan.ModelCall) -> bool:
    """Return True, having read the texts of the call."""
    return "xq-absent-word" not in f"{call.input_text}{call.output_text}"
