"""What commands print with: one console, one form of JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.text import Text

from specspan.decision import OUTCOMES_WORST_FIRST, Outcome

_PIPED_WIDTH = 160  # columns where nobody looks: lines are for programs then, and stay whole

# C0 and C1 but tab and line feed: a terminal obeys them, wherever the text came from.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, width: int | None = None) -> Console:
    """A console on standard output, plain where that is no terminal. ``width`` in columns, for tests and files."""
    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = _PIPED_WIDTH
    return Console(highlight=False, soft_wrap=False, width=width)


def print_json(value: Any) -> None:
    """Print a value as JSON, two spaces deep, as a program reading standard output expects it."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=not utf8, default=str))


def printable(text: str) -> str:
    """``text`` from a file or a model, without what a terminal would take for a command."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ClickException: there is one, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already. Name another file, or remove it first.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


# MERGED marks: How outcomes, verdicts and foreign text look: a sign, a word and a colour, the same everywhere.


_MARKS = {
    "violated": ("✘", "bold red"),
    "error": ("!", "bold bright_red"),
    "uncertain": ("≈", "yellow"),
    "pending": ("…", "cyan"),
    "overridden": ("↷", "magenta"),
    "unassessed": ("?", "yellow"),
    "complied": ("✔", "green"),
    "not_applicable": ("–", "dim"),
}

OUTCOMES = tuple(outcome.value for outcome in Outcome)
WORST_FIRST = tuple(
    outcome.value
    for outcome in sorted(OUTCOMES_WORST_FIRST, key=(Outcome.COMPLIED, Outcome.NOT_APPLICABLE).__contains__)
)
"""Outcomes, the worst first; those of clauses with nothing amiss come last, after the ones that nothing assessed."""


def mark(outcome: str, *, words: bool = True) -> Text:
    """An outcome or a verdict: its sign and, with ``words``, its name. One this version does not know is shown too."""
    sign, style = _MARKS.get(outcome, ("·", ""))
    return Text(f"{sign} {clean(outcome).replace('_', ' ')}" if words else sign, style=style)


def clean(value: Any) -> str:
    """Any value as text that cannot steer a terminal: what does not print is shown as its escape."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character in "\n\t" else character.encode("unicode_escape").decode("ascii")


# MERGED times: Times and durations as people write and read them.


_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_HALF_A_YEAR_NS = 182 * 86_400 * 10**9
_AGO = re.compile(r"(\d{1,6})([smhdw])")


def since(text: str, now_unix_nano: int) -> int:
    """The time a range begins at, in nanoseconds since 1970.

    Args:
        text: an age (``90s``, ``15m``, ``2h``, ``7d``, ``2w``), a day (``2026-11-01``) or a time
            (``2026-11-01T08:30``). Local time, unless it names its offset.
        now_unix_nano: what ages count back from.

    Raises:
        ValueError: it is none of these; the message says what they are.
    """
    age = _AGO.fullmatch(text.strip())
    if age:
        return now_unix_nano - int(age[1]) * _SECONDS[age[2]] * 10**9
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return int(moment.timestamp()) * 10**9
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text!r} is no time. Write an age (15m, 2h, 7d) or a date (2026-11-01)") from None


def local(time_unix_nano: int) -> str:
    """A time as the wall clock here shows it."""
    return _moment(time_unix_nano).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def listed(time_unix_nano: int, now_unix_nano: int) -> str:
    """A time for a list, as `ls` writes it: without the year while nobody can mistake it, else without seconds."""
    recent = 0 <= now_unix_nano - time_unix_nano < _HALF_A_YEAR_NS
    return _moment(time_unix_nano).astimezone().strftime("%m-%d %H:%M:%S" if recent else "%Y-%m-%d %H:%M")


def utc(time_unix_nano: int) -> str:
    """A time in ISO 8601, UTC, to the microsecond."""
    return _moment(time_unix_nano).isoformat(timespec="microseconds").replace("+00:00", "Z")


def duration(duration_ns: int) -> str:
    """A duration in the unit that suits it: ``412 µs``, ``82 ms``, ``1.24 s``, ``3 min 05 s``."""
    if duration_ns < 999_500:
        return f"{duration_ns / 1e3:.0f} µs"
    if duration_ns < 999_500_000:
        return f"{duration_ns / 1e6:.3g} ms"
    if duration_ns < 59_950_000_000:
        return f"{duration_ns / 1e9:.3g} s"
    minutes, seconds = divmod(round(duration_ns / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def _moment(time_unix_nano: int) -> datetime:
    return datetime.fromtimestamp(time_unix_nano / 1e9, tz=timezone.utc)


# MERGED links: A link from the terminal to a trace in whatever page shows traces: ``SPECSPAN_TRACE_URL`` says where
# that is.


VARIABLE = "SPECSPAN_TRACE_URL"
_EXAMPLE = "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"
_PLACE = re.compile(r"\{([^{}]*)\}")


def trace_link(trace_id: str, span_id: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """The address of a trace, of one span in it where the address has a place for that; None where none is set.

    Raises:
        ClickException: the address has no place for a trace, or one for something else.
    """
    template = environ.get(VARIABLE, "").strip()
    if not template:
        return None
    known = {"trace_id": trace_id, "span_id": span_id or ""}
    places = _PLACE.findall(template)
    if "trace_id" not in places or not set(places) <= set(known):
        raise click.ClickException(
            f"{VARIABLE} is {template!r}: it needs {{trace_id}}, may have {{span_id}}, and nothing else in braces; "
            f"for Jaeger: {_EXAMPLE}"
        )
    return _PLACE.sub(lambda place: quote(known[place[1]], safe=""), template)
