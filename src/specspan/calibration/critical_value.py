"""Critical value of a likelihood ratio for a share that cannot be below 0 or above 1.

Near a bound the usual value of 3.84 covers too often, as an estimate cannot lie beyond it. Feldman and Cousins,
"Unified approach to the classical statistical analysis of small signals" (1998, Phys. Rev. D 57, 3873) order what may
be seen by its likelihood relative to the likeliest share that is possible; their value for a normal estimate depends on
how many standard errors the share is away from its bounds.
"""

from __future__ import annotations

import math

_LEAST = 0.2
MOST = 3.841458820694124
"""Critical value of a share far away from its bounds, at 95 %."""
_STEPS = 24
_ROOT_HALF = math.sqrt(0.5)


def critical_value(below: float, above: float) -> float:
    """Return the largest deviance at which a share is in its 95 % interval.

    Args:
        below: standard errors from 0 to the share.
        above: standard errors from the share to 1.
    """
    low, high = _LEAST, MOST
    if _probability(high, below, above) <= 0.95:
        return high
    for _ in range(_STEPS):
        value = (low + high) / 2
        if _probability(value, below, above) < 0.95:
            low = value
        else:
            high = value
    return high


def _probability(value: float, below: float, above: float) -> float:
    """Return how often a normal estimate has a deviance of at most ``value``, which it has up to both sides' ends."""
    return 1 - _tail(_end(value, below)) - _tail(_end(value, above))


def _end(value: float, room: float) -> float:
    """Return the deviation from the share, in standard errors, at which the deviance reaches ``value``.

    Beyond the bound, ``room`` away, the deviance grows linearly, as the likeliest share stays at the bound.
    """
    if room * room >= value:
        return math.sqrt(value)
    return math.inf if room <= 0 else room / 2 + value / (2 * room)


def _tail(deviation: float) -> float:
    return 0.5 * math.erfc(deviation * _ROOT_HALF)
