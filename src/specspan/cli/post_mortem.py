"""Post-mortem of an incident in Markdown, filled in as far as the store has facts.

Text from records is put into table cells and quotations: nothing of it is a mark of Markdown's or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from specspan.cli.rate_words import percentage
from specspan.cli.terminal import clean, printable
from specspan.errors import MissingDependency, Problem

_MARKS = re.compile(r"([\\`*_{}\[\]<>|#~&!])")


def post_mortem(incident: Mapping[str, Any], facts: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> str:
    """Return the post-mortem of an incident.

    Args:
        incident: the incident, as JSON has it.
        facts: its facts, as JSON has them.
        history: its changes, as JSON has them.

    Raises:
        MissingDependency: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError:
        problem = Problem("needs 'jinja2' for a page", "Run: pip install 'specspan[cli]'")
        raise MissingDependency("specspan incident show --markdown", problem) from None
    environment = Environment(  # noqa: S701 - Markdown, whose own marks are escaped
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(cell=_cell, code=_code, quote=_quote, rate=rate_words, lift=lift_words)
    template = environment.from_string((files("specspan.cli") / "post_mortem.md").read_text(encoding="utf-8"))
    opened_by = history[0].get("by") if history else None
    return template.render(
        incident=incident,
        facts={**facts, "clause": {"text": None, **facts["clause"]}},
        history=[{"text": None, **event} for event in history],
        opened_by=opened_by,
    )


def rate_words(rate: Mapping[str, Any]) -> str:
    """Return a share of violations in words, with its denominator and interval."""
    if rate["share"] is None:
        return "no call was decided"
    low, high = rate["interval"]
    share = f"{rate['violated']} of {rate['of']:,} decided calls, {percentage(rate['share'])}"
    return f"{share} (95 %: {percentage(low)} to {percentage(high)})"


def lift_words(lift: Mapping[str, Any] | None) -> str:
    """Return a lift in words, with its interval."""
    if lift is None:
        return "every call has it"
    low, high = lift["interval"]
    return f"{_times(lift['ratio'])} ({_times(low)} to {_times(high)})"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"


def _cell(text: Any) -> str:
    return _MARKS.sub(r"\\\1", clean(text))


def _code(text: Any) -> str:
    return "`" + clean(text).replace("`", "'").replace("|", "\\|") + "`"


def _quote(text: Any) -> str:
    return "\n".join(f"> {_MARKS.sub(chr(92) + chr(92) + '1', line)}" for line in printable(str(text)).splitlines())
