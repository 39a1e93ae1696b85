"""A process that forks while it reads a watched stream: both go on, and both are stopped at the forbidden text."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_output import Output
from enforcement_policies import policy_file
from enforcement_runner import call, decisions_of
from enforcement_table import WORD, wire_of
from enforcement_ways_all import WIRES

import specspan
from specspan.testing import recorded

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning"),  # Google's client says so of itself
]
STREAMED = [name for name in WIRES if wire_of(name).stream_modes]


class _Forking(Output):
    """Output that forks once, at the second chunk."""

    child: int | None = None

    def take(self, value: Any) -> None:
        """Add one chunk."""
        super().take(value)
        if len(self.chunks) == 2:
            self.child = os.fork()
            if not self.child:
                signal.alarm(60)  # ends a child that waits for a thread which it does not have


@pytest.mark.parametrize("action", ["block", "openblock"])
@pytest.mark.parametrize("wire", STREAMED)
def test_parent_and_child_are_both_stopped(wire: str, action: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither hands the text over, whatever becomes of the other."""
    monkeypatch.setattr("enforcement_runner.Output", _Forking)
    format_ = wire_of(wire)
    pieces = format_.encode(format_.stream("fine ", "ok ", "FORB", "IDDEN", " after"))
    with recorded(policy_file(action, {}, {})) as record:
        given: Any = call(format_.modes[format_.stream_modes[0]], Service(pieces, True), {})
        is_stopped = isinstance(given.error, specspan.Blocked) and not given.has(WORD)
        if given.child == 0:
            os._exit(0 if is_stopped else 1)
        (decision,) = decisions_of(record)
    assert is_stopped
    assert os.waitstatus_to_exitcode(os.waitpid(given.child, 0)[1]) == 0
    assert decision["verdict"] == "violated"
