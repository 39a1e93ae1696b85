"""Root of a function of one number between two places where it has opposite signs."""

from __future__ import annotations

from collections.abc import Callable

_STEPS = 100


def find_root(function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-12) -> float:
    """Return where a continuous function is 0, by the Illinois form of the regula falsi (Dowell and Jarratt, 1971).

    Where the function has one sign at both ends, the end at which it is nearer to 0 is returned.
    """
    at_low, at_high = function(low), function(high)
    if at_low * at_high >= 0:
        return low if abs(at_low) <= abs(at_high) else high
    side = 0
    for _ in range(_STEPS):
        middle = (low * at_high - high * at_low) / (at_high - at_low)
        if not low < middle < high:
            middle = (low + high) / 2
        value = function(middle)
        if not value or high - low <= tolerance:
            return middle
        if value * at_low > 0:
            at_high = at_high / 2 if side == 1 else at_high
            if abs(middle - low) <= tolerance:
                return middle
            low, at_low, side = middle, value, 1
        else:
            at_low = at_low / 2 if side == -1 else at_low
            if abs(high - middle) <= tolerance:
                return middle
            high, at_high, side = middle, value, -1
    return (low + high) / 2
