"""The benchmark of the whole cost measures what it says."""

from __future__ import annotations

import argparse

import pytest
from benchmarks import whole_cost


@pytest.mark.parametrize(
    ("setup", "found"),
    [
        ("alone", {}),
        ("sqlite", {"span_rows": 303, "decision_rows": 303}),
        ("otlp", {"spans": 303, "log_records": 303}),
    ],
)
def test_each_exit_carries_every_call(setup: str, found: dict[str, int]) -> None:
    """What is counted in the store, and at the receiver, is what was made: calls, and those before to warm up."""
    options = argparse.Namespace(calls=3, seconds=0.1, rate=50.0)
    configuration = whole_cost.Configuration("tried", setup, 0 if setup == "alone" else 2)

    result = whole_cost.measure(configuration, "cost", options)

    counts = {**result, **result["received"]}
    assert {key: counts.get(key) for key in found} == found
    assert (counts["calls"], counts["flushed"], counts.get("drops", {})) == (303, True, {})
