"""Changes before and during an incident, ranked by how well each separates violating calls from clean ones."""

from __future__ import annotations

from dataclasses import dataclass

from specspan.calibration.share_lift import Lift, lift
from specspan.incidents.call_versions import FACTORS, Version
from specspan.incidents.clause_history import ClauseHistory, Tally

_SETTLING_NS = 3600 * 10**9
_SETTLING_SHARE = 0.1
"""Share of a short window in which a version that is seen counts as one that was there before."""


@dataclass(frozen=True, slots=True)
class Change:
    """Version that was not there when the window began, with the calls that have it and those that have not."""

    version: Version
    first_unix_nano: int
    """Time of the first decided call that has it."""
    with_it: Tally
    without_it: Tally
    lift: Lift | None
    """Ratio of the share of violations with it to that without it; None where every call has it."""
    replaced: tuple[str, ...]
    """Other versions of the same thing that were there before."""


def rank_changes(history: ClauseHistory) -> list[Change]:
    """Return every change within a history, the one that separates best first: by the lower end of its lift.

    A version is a change where no call had it when the window began. What came with the first calls of the window, and
    what never changed in it, explains no difference.
    """
    total = history.total
    if not total.decided:
        return []
    tallies = _by_version(history)
    window_ns = total.last_unix_nano - total.first_unix_nano
    settled = total.first_unix_nano + min(_SETTLING_NS, int(window_ns * _SETTLING_SHARE))
    changes = [
        _change(version, tally, total, tallies, settled)
        for version, tally in tallies.items()
        if tally.first_unix_nano > settled
    ]
    return sorted(changes, key=_rank)


def _by_version(history: ClauseHistory) -> dict[Version, Tally]:
    tallies: dict[Version, Tally] = {}
    for combination, tally in history.combinations.items():
        for version in combination:
            found = tallies.get(version)
            if found is None:
                found = tallies[version] = Tally(0, 0, tally.first_unix_nano, tally.last_unix_nano)
            found.decided += tally.decided
            found.violated += tally.violated
            found.first_unix_nano = min(found.first_unix_nano, tally.first_unix_nano)
            found.last_unix_nano = max(found.last_unix_nano, tally.last_unix_nano)
    return tallies


def _change(version: Version, tally: Tally, total: Tally, tallies: dict[Version, Tally], settled: int) -> Change:
    without = Tally(total.decided - tally.decided, total.violated - tally.violated)
    compared = None
    if without.decided:
        compared = lift(tally.violated, tally.decided, without.violated, without.decided)
    thing = version.name.rpartition(" ")[0]
    replaced = tuple(
        sorted(
            other.name
            for other, found in tallies.items()
            if other.factor == version.factor
            and other.name.rpartition(" ")[0] == thing
            and other != version
            and found.first_unix_nano <= settled
        )
    )
    return Change(version, tally.first_unix_nano, tally, without, compared, replaced)


def _rank(change: Change) -> tuple[float, int, str]:
    low = change.lift.low if change.lift is not None else 0.0
    return -low, FACTORS.index(change.version.factor), change.version.name
