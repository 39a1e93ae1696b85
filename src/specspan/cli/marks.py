"""How outcomes, verdicts and foreign text look: a sign, a word and a colour, the same everywhere."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from specspan.decision import Outcome

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
WORST_FIRST = tuple(_MARKS)
"""Outcomes in the order people want to see them."""


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
