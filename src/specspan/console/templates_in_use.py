"""Templates of the console: every expression is escaped, and characters that do not show are written as escapes."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from functools import lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from specspan.cli.terminal import format_duration, format_utc, plural
from specspan.console.inert_text import one_line, shown_text
from specspan.console.outcome_words import SIGNS

_BROKEN_LINE = re.compile(r"(?<=[^\n])\n(?=[^\s*+>#|`\d-])")
"""End of a line inside a paragraph of Markdown."""
_MOST_CHARS_OF_PROSE = 100_000
"""Characters of one clause that a page shows."""


def render(template: str, context: Mapping[str, Any]) -> str:
    """Return a template with its values in it."""
    return _environment().get_template(template).render(context)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("specspan.console"),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        plural=plural,
        duration=format_duration,
        utc=format_utc,
        age=_age,
        when=_when,
        query=_query,
        sign=lambda outcome: SIGNS.get(str(outcome), "·"),
        vendored=_vendored(),
    )
    environment.filters["thousands"] = lambda number: f"{number:,}"
    environment.filters["percent"] = _percent
    environment.filters["prose"] = _prose
    environment.filters["words"] = lambda name: str(name).replace("_", " ")
    return environment


def _finalize(value: Any) -> Any:
    """Return a value as inert text; HTML that was made as such stays as it is."""
    return value if hasattr(value, "__html__") else one_line(value)


def _vendored() -> Mapping[str, str]:
    """Return the file of each library that pages load, by name."""
    folder = files("specspan.console") / "static" / "vendor"
    return {file.name.partition("-")[0]: file.name for file in folder.iterdir() if file.name.endswith((".js", ".css"))}


def _prose(text: Any) -> Markup:
    """Return the text of a clause with its paragraphs: lines that were only broken to fit a file flow on."""
    return shown_text(_BROKEN_LINE.sub(" ", str(text)), most_chars=_MOST_CHARS_OF_PROSE).html


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.1 or 0.99 < share < 1 else f"{share:.0%}"


def _when(time_unix_nano: int) -> str:
    """Return a time to the second, in UTC, as a list shows it."""
    return datetime.fromtimestamp(time_unix_nano / 1e9, tz=timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _age(time_unix_nano: int) -> str:
    seconds = max(0, time.time_ns() - time_unix_nano) // 10**9
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _query(**parameters: Any) -> str:
    """Return the query of an address, without parameters that are empty."""
    given = {key: value for key, value in parameters.items() if value not in (None, "")}
    return f"?{urlencode(given)}" if given else ""
