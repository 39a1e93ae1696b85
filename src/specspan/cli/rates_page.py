"""Rates of violations as one HTML page: a row each, with its denominator, interval and calibration.

The template `rates.html` escapes every expression, and the page fetches nothing and runs no script.
"""

from __future__ import annotations

from collections.abc import Sequence

from specspan.cli.page_template import load_template
from specspan.cli.rate_words import percentage
from specspan.cli.terminal import plural
from specspan.rates.rate import Rate, undecided


def rates_page(rates: Sequence[Rate], by: str, since: str) -> str:
    """Return the page as HTML.

    Args:
        rates: the rates, in the order of rows.
        by: what they are grouped by, one of `specspan.rates.check_counts.GROUPS`.
        since: the time of the earliest call, in words.

    Raises:
        MissingDependency: Jinja2 is not installed.
    """
    return load_template("rates.html", "specspan rates --html").render(
        rates=rates, by=by, since=since, percentage=percentage, plural=plural, undecided=undecided, scale=_scale(rates)
    )


def _scale(rates: Sequence[Rate]) -> float:
    """Return the share at the right end of the bars: the largest that is shown, with some room."""
    ends = [rate.estimate.interval.high for rate in rates if rate.estimate.interval is not None]
    shares = [rate.estimate.raw for rate in rates if rate.estimate.raw is not None]
    return min(1.0, 1.05 * max([*ends, *shares, 0.01]))
