"""A check under limits: asked on a share of the calls, and for no longer than it may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specspan.call import ModelCall
from specspan.checks.check import Check, TextAt, finds_in_part, needs_of
from specspan.decision import CheckRef, Finding, Stage


@dataclass(frozen=True, slots=True)
class LimitedCheck:
    """A check, and the limits that its policy sets to it."""

    check: Check
    share: float
    """Of the calls, how many it looks at."""
    timeout_s: float | None

    @property
    def ref(self) -> CheckRef:
        """The check's own, as are all below."""
        return self.check.ref

    @property
    def stage(self) -> Stage:
        return self.check.stage

    @property
    def prefilter(self) -> tuple[str, ...]:
        return self.check.prefilter

    @property
    def decide(self) -> Callable[[ModelCall, Sequence[TextAt]], Finding | bool | None]:
        return self.check.decide

    @property
    def needs(self) -> frozenset[str]:
        return needs_of(self.check)

    @property
    def finds_in_part(self) -> bool:
        return finds_in_part(self.check)

    def reads(self, text: TextAt) -> bool:
        return self.check.reads(text)


def share_of(check: Check) -> float:
    """Of the calls, how many a check looks at."""
    return check.share if isinstance(check, LimitedCheck) else 1.0
