"""Check that a service decides for a whole call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specspan.call import ModelCall
from specspan.checks.check import CheckResult, CheckTraits, TextAt
from specspan.checks.conditions.variables import UnreadableValue
from specspan.checks.foreign.guardrail_check import FAILED, NONSENSE
from specspan.checks.foreign.verdict import InvalidVerdict
from specspan.decision import CheckRef, Finding, Outcome

Ask = Callable[[ModelCall, Sequence[TextAt]], Finding]


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """Check of a whole call by a service; its failure is an error, and its nonsense, too."""

    ref: CheckRef
    traits: CheckTraits
    ask: Ask

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Ask the service about the whole call."""
        try:
            return self.ask(call, texts)
        except InvalidVerdict as error:
            return Finding(Outcome.ERROR, NONSENSE, explanation=str(error))
        except UnreadableValue:
            return Finding(Outcome.ERROR, "condition_unreadable_value")
        except (OSError, ValueError) as error:  # with no address, password or content in it
            return Finding(Outcome.ERROR, FAILED, explanation=type(error).__name__)
