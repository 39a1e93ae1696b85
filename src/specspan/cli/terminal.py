"""Output of commands: the console, tables, JSON and files, and how outcomes, levels, times and links are written."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO, cast
from urllib.parse import quote

import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from specspan.decision import OUTCOMES_WORST_FIRST, Outcome
from specspan.policy.authority import Authority
from specspan.spec.spec import Spec

_PIPED_WIDTH = 160  # columns where nobody looks: lines are for programs then, and stay whole

# C0 and C1 but tab and line feed: a terminal obeys them, wherever the text came from.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


_TRAILING_BLANKS = re.compile(r"[ ]+((?:\x1b\[[0-9;]*m)*)$", re.MULTILINE)


class _LinesWithoutTrailingBlanks:
    """Standard output of a program's reader: what Rich pads lines with is left out."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        self._stream.write(_TRAILING_BLANKS.sub(r"\1", text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def console(*, width: int | None = None) -> Console:
    """Return a console on standard output, plain where that is not a terminal.

    Args:
        width: in columns; for tests and files.
    """
    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = _PIPED_WIDTH
    file = None if sys.stdout.isatty() else cast("TextIO", _LinesWithoutTrailingBlanks(sys.stdout))
    return Console(file=file, highlight=False, soft_wrap=False, width=width)


def list_width(out: Console) -> int | None:
    """Return the columns that a list may take; None in a pipe, where lines are for programs and stay whole."""
    return out.width if out.is_terminal or "COLUMNS" in os.environ else None


def print_pages(out: Console, *parts: RenderableType, paged: bool = True) -> None:
    """Print parts below one another without trailing blanks; what is longer than the screen goes through ``PAGER``."""
    with out.capture() as captured:
        for part in parts:
            out.print(part, soft_wrap=isinstance(part, Text))
    text = _TRAILING_BLANKS.sub(r"\1", captured.get())
    if paged and out.is_terminal and text.count("\n") >= out.height:
        click.echo_via_pager(text, color=True)
    else:
        click.echo(text, nl=False, color=out.is_terminal)


def plain_table(*columns: str, right: Sequence[str] = (), folding: Sequence[str] = ()) -> Table:
    """Return an empty table without lines. Columns that fold give way first when the terminal is narrow.

    Args:
        columns: headers, from left to right.
        right: columns that are aligned to the right, as numbers are.
        folding: columns that may be broken over several lines.
    """
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column not in folding,
            overflow="fold",
        )
    return table


def plural(count: int, noun: str) -> str:
    """Return a number and its noun, as in ``1 answer`` and ``2 answers``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def print_json(value: Any) -> None:
    """Print a value as JSON, two spaces deep, as a program reading standard output expects it."""
    click.echo(json_text(value))


def json_text(value: Any, indent: int | None = 2) -> str:
    """Return a value as JSON for standard output.

    Characters that a terminal would obey, such as those that turn the direction of writing, are escaped.
    """
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(value, indent=indent, ensure_ascii=not utf8, default=str)
    return text if text.isascii() else "".join(map(_as_json_character, text))


def _as_json_character(character: str) -> str:
    """Return a character of a JSON text; each beyond ASCII that does not print, as its escape."""
    return character if character < "\x7f" or character.isprintable() else json.dumps(character)[1:-1]


def write_new_file(path: Path, text: str) -> None:
    """Write a file that does not exist yet.

    Raises:
        ClickException: the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already. Name another file, or remove it first.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


# Foreign text: a file or a model may have written anything.


def printable(text: str) -> str:
    """Return a text of several lines with each character that a terminal would obey replaced."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def clean(value: Any) -> str:
    """Return any value as one line; each character that does not print is shown as its escape."""
    text = "" if value is None else str(value)
    return text if text.isprintable() else "".join(map(_escape_unprintable, text))


def _escape_unprintable(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character in "\n\t" else character.encode("unicode_escape").decode("ascii")


# Outcomes and levels of authority: a sign, a word and a colour, the same in every command.

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

# From the strongest level to the weakest.
_LEVEL_STYLES = ("bold red", "magenta", "blue", "cyan", "green")


def mark(outcome: str, *, words: bool = True) -> Text:
    """Return the sign of an outcome or a verdict and, with ``words``, its name. An unknown one has a sign, too."""
    sign, style = _MARKS.get(outcome, ("·", ""))
    return Text(f"{sign} {clean(outcome).replace('_', ' ')}" if words else sign, style=style)


def level_style(spec: Spec | Authority, authority: str | None) -> str:
    """Return the colour of a level."""
    if authority is None:
        return "dim"
    return _LEVEL_STYLES[level_step(spec, authority, len(_LEVEL_STYLES))]


def level_step(spec: Spec | Authority, authority: str, steps: int) -> int:
    """Return the place of a level on a scale of ``steps``, where the strongest of any ladder is 0."""
    return round(spec.rank(authority) * (steps - 1) / (len(spec.ladder) - 1 or 1))


# Times and durations.

_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_HALF_A_YEAR_NS = 182 * 86_400 * 10**9
_AGE = re.compile(r"(\d{1,6})([smhdw])")
_LATEST_NS = 2**63 - 1
"""Latest time that can be stored, in the year 2262."""


def parse_since(text: str, now_unix_nano: int) -> int:
    """Return the time a range begins at, in nanoseconds since 1970.

    Args:
        text: an age (``90s``, ``15m``, ``2h``, ``7d``, ``2w``), a day (``2026-11-01``) or a time
            (``2026-11-01T08:30``). Local time, unless it names its offset.
        now_unix_nano: the time from which ages count back.

    Raises:
        ValueError: the text is neither; the message says what can be written.
    """
    age = _AGE.fullmatch(text.strip())
    if age:
        return now_unix_nano - int(age[1]) * _SECONDS[age[2]] * 10**9
    try:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
        return min(int(moment.timestamp()) * 10**9, _LATEST_NS)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"invalid time {text!r}. Write an age (15m, 2h, 7d) or a date (2026-11-01)") from None


def format_local(time_unix_nano: int) -> str:
    """Return a time in the time zone of this machine, to the second."""
    return _as_datetime(time_unix_nano).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_short(time_unix_nano: int, now_unix_nano: int) -> str:
    """Return a time for a list, as `ls` writes it: without the year where that is recent, else without seconds."""
    recent = 0 <= now_unix_nano - time_unix_nano < _HALF_A_YEAR_NS
    return _as_datetime(time_unix_nano).astimezone().strftime("%m-%d %H:%M:%S" if recent else "%Y-%m-%d %H:%M")


def format_utc(time_unix_nano: int) -> str:
    """Return a time in ISO 8601, UTC, to the microsecond."""
    return _as_datetime(time_unix_nano).isoformat(timespec="microseconds").replace("+00:00", "Z")


def format_duration(duration_ns: int) -> str:
    """Return a duration in the unit that suits it: ``412 µs``, ``82 ms``, ``1.24 s``, ``3 min 05 s``."""
    if duration_ns < 999_500:
        return f"{duration_ns / 1e3:.0f} µs"
    if duration_ns < 999_500_000:
        return f"{duration_ns / 1e6:.3g} ms"
    if duration_ns < 59_950_000_000:
        return f"{duration_ns / 1e9:.3g} s"
    minutes, seconds = divmod(round(duration_ns / 1e9), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {seconds:02} s"


def _as_datetime(time_unix_nano: int) -> datetime:
    return datetime.fromtimestamp(time_unix_nano / 1e9, tz=timezone.utc)


# Links from the terminal to a page that shows traces.

TRACE_URL_VARIABLE = "SPECSPAN_TRACE_URL"
_EXAMPLE_URL = "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def trace_link(trace_id: str, span_id: str | None, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the address of a trace, or of one span in it, from ``SPECSPAN_TRACE_URL``; None where that is not set.

    Raises:
        ClickException: the address lacks ``{trace_id}``, or has braces around something else.
    """
    template = environ.get(TRACE_URL_VARIABLE, "").strip()
    if not template:
        return None
    values = {"trace_id": trace_id, "span_id": span_id or ""}
    names = _PLACEHOLDER.findall(template)
    if "trace_id" not in names or not set(names) <= set(values):
        raise click.ClickException(
            f"{TRACE_URL_VARIABLE} is {template!r}: it needs {{trace_id}}, may have {{span_id}}, and nothing else in "
            f"braces; for Jaeger: {_EXAMPLE_URL}"
        )
    return _PLACEHOLDER.sub(lambda match: quote(values[match[1]], safe=""), template)
