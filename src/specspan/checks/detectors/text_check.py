"""Check made of one function of a call and its texts, and what such functions share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from specspan.call import ModelCall
from specspan.checks.check import CheckResult, CheckTraits, TextAt
from specspan.decision import CheckRef


@dataclass(frozen=True, slots=True)
class TextCheck:
    """Check that a function decides."""

    ref: CheckRef
    traits: CheckTraits
    decide: Callable[[ModelCall, Sequence[TextAt]], CheckResult]
    """Function that decides as `specspan.checks.check.Check.decide` does."""


def by_message(texts: Sequence[TextAt]) -> list[list[TextAt]]:
    """Return the texts of each message, in order."""
    messages: dict[str, list[TextAt]] = defaultdict(list)
    for text in texts:
        messages[text.pointer.partition("/parts/")[0]].append(text)
    return list(messages.values())
