"""Checks without a time limit: asked one after another on the caller's thread."""

from __future__ import annotations

import time
from collections.abc import Sequence

import policies
import pytest
from policies import Code, answered, bound, says

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Decision
from specspan.engine.bound_check import NOTABLE_NS
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync


def takes_time(call: ModelCall, texts: Sequence[TextAt]) -> bool:
    """Comply, not before it has taken twice as long as is notable."""
    end_ns = time.perf_counter_ns() + 2 * NOTABLE_NS
    while time.perf_counter_ns() < end_ns:
        pass
    return True


def decided(engine: Engine) -> Decision:
    evaluation = engine.open()
    run_sync(evaluation.output(answered("text")))
    return evaluation.decide()


def test_once_a_round_took_long_each_check_is_timed() -> None:
    """Which of the checks is slow is told by the next call: it has a duration, those that are quick share theirs."""
    engine = Engine(policies.policy(bound("slow", Code(takes_time)), bound("quick", says(True))))
    decided(engine)
    slow, quick = decided(engine).findings
    assert slow.duration_ns >= 2 * NOTABLE_NS
    assert (slow.clause, quick.clause, quick.outcome) == ("slow", "quick", slow.outcome)


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_passes_through(interrupt: type[BaseException]) -> None:
    """Whoever stops the program while a check runs stops it."""

    def stops(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        raise interrupt

    with pytest.raises(interrupt):
        decided(Engine(policies.policy(bound("stops", Code(stops)))))
