"""Report of a replay as one HTML page. The template `replay.html` escapes every expression, and fetches nothing."""

from __future__ import annotations

from specspan.cli.page_template import load_template
from specspan.cli.rate_words import percentage
from specspan.cli.replay_view import WORDS
from specspan.cli.terminal import format_utc, plural
from specspan.replay.report import Report
from specspan.replay.run import Replay
from specspan.replay.stored_calls import StoredCalls


def replay_page(replay: Replay, calls: StoredCalls, report: Report) -> str:
    """Return the page as HTML.

    Raises:
        MissingDependency: Jinja2 is not installed.
    """
    since = replay.window.since_unix_nano
    return load_template("replay.html", "specspan replay --html").render(
        replay=replay,
        calls=calls,
        report=report,
        since="the first decision" if since is None else format_utc(since),
        until=format_utc(replay.window.until_unix_nano),
        signed=_signed,
        plural=plural,
        words=lambda reason: WORDS.get(reason, reason),
    )


def _signed(share: float) -> str:
    return f"{'−' if share < 0 else '+' if share > 0 else ''}{percentage(abs(share))}"
