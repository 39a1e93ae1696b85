"""Prefilters of the checks of one stage, looked for in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from specspan.checks.check import TextAt
from specspan.checks.patterns import MultiPattern
from specspan.engine.bound_check import BoundCheck


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """Prefilters of all checks of one stage, looked for in one pass."""

    patterns: MultiPattern
    owners: tuple[int, ...]
    """By index of a pattern, the position of the check that owns it."""
    is_normalised: bool = False
    """True if one of these checks reads texts in their normalised writing."""

    def matching_positions(self, text: TextAt) -> set[int]:
        """Return the positions of the checks of which a pattern matches somewhere in ``text``."""
        hits = self.patterns.hits(text)
        return {self.owners[index] for index in hits} if hits else set()


def build_matcher(checks: Sequence[BoundCheck]) -> Matcher | None:
    """Return the prefilters of some checks; None where none of them has any."""
    owned = [(pattern, check.position) for check in checks for pattern in check.traits.prefilter]
    if not owned:
        return None
    return Matcher(
        MultiPattern([pattern for pattern, _ in owned]),
        tuple(position for _, position in owned),
        is_normalised=any(check.traits.reads_normalised for check in checks),
    )
