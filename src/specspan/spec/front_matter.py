"""What a spec says of itself, in YAML between two ``---`` lines at its very top::

---
id: acme-support
version: 2026-03-01
ladder: [owner, product, customer]
---
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from specspan.errors import Problem
from specspan.problems import Problems
from specspan.spec.ladder import Ladder
from specspan.wording import did_you_mean

_KEYS = ("id", "version", "ladder")
"""Those that every document may have."""
_MAX_CHARS = 65_536
_OPENS = re.compile(r"---[ \t]*\n")
_CLOSES = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z0-9][\w.:+-]*")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What was declared; None for what was not."""

    id: str | None = None
    version: str | None = None
    ladder: Ladder | None = None
    authority: str | None = None
    """The level of sections that do not say otherwise, where a format has that."""
    end: int = 0
    """Where in the text the document itself begins."""
    lines: int = 0
    """How many lines stand before that."""


def front_matter(text: str, problems: Problems, *, more: tuple[str, ...] = ()) -> FrontMatter:
    """The front matter of a document, nothing where it has none; what is broken is added to ``problems``.

    ``more`` are keys that the format has beside those of every format.
    """
    opens = _OPENS.match(text)
    if opens is None:
        return FrontMatter()
    closes = _CLOSES.search(text, opens.end())
    if closes is None or closes.start() > _MAX_CHARS:
        remedy = "Close it with a line '---'; a rule at the very top needs an empty line before it."
        problems.add(Problem(f"the front matter is not closed within {_MAX_CHARS} characters", remedy, 1))
        return FrontMatter()
    declared: dict[str, Ladder] = {}
    for key, value, line in _entries(text[opens.end() : closes.start()], problems):
        if problem := _problem(key, value, line, declared, (*_KEYS, *more)):
            problems.add(problem)
        else:
            declared[key] = value
    (id_,), (version,) = declared.get("id", (None,)), declared.get("version", (None,))
    (authority,) = declared.get("authority", (None,))
    end = min(closes.end() + 1, len(text))
    return FrontMatter(id_, version, declared.get("ladder"), authority, end, text.count("\n", 0, end))


def _entries(yaml_text: str, problems: Problems) -> Iterator[tuple[str, Ladder, int]]:
    """Key, words and line of each entry. Words stay as written: a version ``1.10`` is no number, a date no date."""
    try:
        top = yaml.compose(yaml_text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it cannot be parsed"
        line = 1 if mark is None else mark.line + 2
        problems.add(Problem(f"the front matter is not YAML: {what}", "Write one 'key: value' a line.", line))
        return
    if top is None:
        return
    if not isinstance(top, yaml.MappingNode):
        remedy = "Write one 'key: value' a line; a rule at the very top needs an empty line before it."
        problems.add(Problem("the front matter has no keys", remedy, 1))
        return
    for key, value in top.value:
        nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
        words = tuple(node.value if isinstance(node, yaml.ScalarNode) else "" for node in nodes)
        yield str(key.value), words, key.start_mark.line + 2


def _problem(key: str, words: Ladder, line: int, declared: dict[str, Ladder], known: tuple[str, ...]) -> Problem | None:
    """What is wrong with one entry; None when nothing is."""
    if key not in known:
        remedy = did_you_mean(key, known, f"Known are {', '.join(known)}.")
        return Problem(f"unknown key {key!r} in the front matter", remedy, line)
    if key in declared:
        return Problem(f"key {key!r} stands twice in the front matter", "Keep one of them.", line)
    if not words or not all(_WORD.fullmatch(word) for word in words):
        return Problem(
            f"{key!r} has a value that cannot be used", "Give words of letters, digits and '_.:+-'.", line, key
        )
    if key != "ladder" and len(words) > 1:
        return Problem(f"{key!r} has more than one value", "Give one.", line, key)
    if len(set(words)) < len(words):
        return Problem("the ladder names a level twice", "Name each level once, the strongest first.", line, key)
    return None
