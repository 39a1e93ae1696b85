"""Words for shares and their intervals, the same on the terminal and on pages."""

from __future__ import annotations


def percentage(share: float) -> str:
    """Return a share in percent, to a tenth, or to a hundredth below one percent."""
    return f"{100 * share:.2f}%" if 0 < share < 0.01 else f"{100 * share:.1f}%"
