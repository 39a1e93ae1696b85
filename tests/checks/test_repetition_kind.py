"""`repetition`: an answer goes round in circles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ready_made import build, find, reason_of, redact, stream

REPETITION = build("repetition")
LINE = "This line comes again and again."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I am here. " * 20, "loop"),
        ("so " * 30, "loop"),
        ("wa" + "a" * 80, "run"),
        ("\n".join(f"{number} is new\n{LINE}" for number in range(6)), "line"),
        ("The order left our warehouse on Monday. We sent it with care, and hope that you like it.", None),
        ("ha ha ha ha", None),
        ("| a | b |\n|---|---|\n" + "".join(f"| {n} | {n * n} |\n" for n in range(30)), None),
        ("1. yes\n2. no\n3. yes\n4. no\n5. yes\n", None),
    ],
)
def test_each_sort_has_its_reason(text: str, reason: str | None) -> None:
    """Words in a row, a character without end, lines that come again."""
    assert reason_of(REPETITION, text) == reason


def test_the_first_time_stays() -> None:
    """A redaction takes what repeats."""
    assert redact(REPETITION, "Yes. " + "I am here. " * 20) == "Yes. I am here[redacted:loop] "
    assert find(REPETITION, f"{LINE}\na\n" * 5)[-1] == LINE


@given(st.lists(st.sampled_from(["ja", "nein", "doch"]), min_size=1, max_size=8), st.integers(8, 12))
def test_every_loop_is_found(passage: list[str], times: int) -> None:
    """Whatever repeats, often enough."""
    text = "Well then: " + " ".join(passage * times * 3)
    assert reason_of(REPETITION, text) == "loop"


def test_a_stream_that_loops_is_cut() -> None:
    """Not at its end, which may not come."""
    released, cut = stream(REPETITION, *["and so on and "] * 400)
    assert cut is not None
    assert len(released) < 2000
