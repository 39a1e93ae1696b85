"""When a clause has a bearing on a call: what the application, or the policy, says of the circumstances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from specspan.call import ModelCall, Scalar

OTHER_CONTEXT = "other_context"
"""Not applicable: the circumstances are others than the clause is for."""
UNKNOWN_CONTEXT = "unknown_context"
"""Not applicable: nobody says that the circumstances are those the clause is for."""

REQUEST = ("operation", "provider", "model")
"""What is known of every call without the application saying so."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Circumstances, all of which have to be given."""

    facts: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    """The values that each fact may have. Of `REQUEST`, ``*`` in a value stands for anything."""

    def unmet(self, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> str | None:
        """Why the clause has no bearing on ``call``; None where it has. ``assumed`` is what holds unless said."""
        reason = None
        for name, values in self.facts:
            fact = _fact(name, call, assumed)
            if fact is None:
                reason = UNKNOWN_CONTEXT
            elif not any(fact == value for value in values) and not _matched(name, fact, values):
                return OTHER_CONTEXT
        return reason


ALWAYS = Condition()


def condition_of(when: Mapping[str, Scalar | Sequence[Scalar]]) -> Condition:
    """The condition that a policy file writes so: a value or a list of them for each fact."""
    listed = (
        (name, (values,) if isinstance(values, (str, bool, int, float)) else values) for name, values in when.items()
    )
    return Condition(tuple((name, tuple(values)) for name, values in listed))


def tagged(tags: Sequence[str]) -> Condition:
    """The condition of a clause with these tags: that each of them is so."""
    return Condition(tuple((tag, (True,)) for tag in tags))


def _fact(name: str, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> Scalar | None:
    if call is not None:
        if name in REQUEST:
            said: Scalar | None = getattr(call.request, name)
            return said
        if name in call.context.attributes:
            return call.context.attributes[name]
    return assumed.get(name)


def _matched(name: str, fact: Scalar, values: Sequence[Scalar]) -> bool:
    if name not in REQUEST:
        return False
    return any(isinstance(value, str) and "*" in value and fnmatchcase(str(fact), value) for value in values)
