"""What holds of what several files say, and of what they say for one environment.

What is said later holds over what was said before: a word takes the place of a word, clauses and defaults are put
together key by key, lists and objectives are taken whole. A list under a key that ends in ``+`` comes after the one
before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel

from specspan.call import Scalar
from specspan.checks.base import Check
from specspan.decision import Mode
from specspan.policy.layer import Part
from specspan.policy.schema import ClauseEntry, DefaultsEntry, OverrideEntry

E = TypeVar("E", bound=BaseModel)


@dataclass(slots=True)
class Merged:
    """What holds."""

    mode: Mode = Mode.OBSERVE
    defaults: DefaultsEntry = field(default_factory=DefaultsEntry)
    clauses: dict[str, ClauseEntry] = field(default_factory=dict)
    checks: dict[str, tuple[Check, ...]] = field(default_factory=dict)
    """By clause, for each that is named."""
    overrides: tuple[OverrideEntry, ...] = ()
    context: dict[str, Scalar] = field(default_factory=dict)


def merged(parts: Iterable[Part], called: Callable[[str], str]) -> Merged:
    """What the last of ``parts`` make of those before them; ``called`` tells what a clause goes by, however written."""
    whole = Merged()
    for part in parts:
        entry = part.entry
        whole.mode = entry.mode or whole.mode
        whole.defaults = _over(whole.defaults, entry.defaults)
        if entry.overrides is not None:
            whole.overrides = ()
        whole.overrides += (*(entry.overrides or ()), *(entry.more_overrides or ()))
        whole.context |= entry.context
        for written, clause in entry.clauses.items():
            clause_id = called(written)
            whole.clauses[clause_id] = _over(whole.clauses.get(clause_id, ClauseEntry()), clause)
            before = whole.checks.get(clause_id, ()) if clause.checks is None else ()
            whole.checks[clause_id] = (*before, *part.checks[written])
    return whole


def _over(below: E, above: E) -> E:
    """What ``above`` says, and where it says nothing, what ``below`` does."""
    said = {name: value for name in above.model_fields_set if (value := getattr(above, name)) is not None}
    return below.model_copy(update=said)
