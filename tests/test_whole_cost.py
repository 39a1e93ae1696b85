"""The benchmark of the whole cost measures what it says."""

from __future__ import annotations

import argparse

import pytest
from benchmarks import endurance, whole_cost


@pytest.mark.parametrize(
    ("setup", "found"),
    [
        pytest.param("alone", {}, marks=pytest.mark.thorough),
        ("sqlite", {"span_rows": 303, "decision_rows": 303}),
        pytest.param("otlp", {"spans": 303, "log_records": 303}, marks=pytest.mark.thorough),
    ],
)
def test_each_exit_carries_every_call(setup: str, found: dict[str, int]) -> None:
    """What is counted in the store, and at the receiver, is what was made: calls, and those before to warm up."""
    options = argparse.Namespace(calls=1, rounds=3, seconds=0.1, rate=50.0)
    configuration = whole_cost.Configuration("tried", setup, 0 if setup == "alone" else 2)

    result = whole_cost.measure_costs([configuration], options)["tried"]

    assert len(result.turns) == 3
    counts = {**result.end, **result.end["received"]}
    assert {key: counts.get(key) for key in found} == found
    assert (counts["calls"], counts["flushed"], counts.get("drops", {})) == (303, True, {})


@pytest.mark.thorough
def test_a_long_run_compares_what_was_made_with_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """A short one prints its calls, and that nothing was dropped."""
    with pytest.raises(SystemExit) as ended:
        endurance.main_command(["full-speed", "--seconds", "0.2", "--clauses", "2"])
    assert ended.value.code == 0
    assert "dropped: nothing" in capsys.readouterr().out


@pytest.mark.parametrize("changes", [{"span_rows": 1}, {"decision_rows": 1}, {"drops": {"span queue_full": 1}}])
def test_what_a_long_run_lost_is_told(changes: dict[str, object]) -> None:
    """Rows that are missing, and what was dropped."""
    whole = {"calls": 2, "span_rows": 2, "decision_rows": 2, "drops": {}}
    assert endurance._is_whole([whole])
    assert not endurance._is_whole([{**whole, **changes}])
