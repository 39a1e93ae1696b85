"""Headings with attributes: ``## Title {#id authority=root tags=under_18,teens}``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from specspan.errors import Problem
from specspan.problems import Problems
from specspan.spec.identity import slug
from specspan.wording import did_you_mean

_ID = re.compile(r"[\w.:-]+")  # no space: ids stand side by side in one attribute of a span
_PAIR = re.compile(r"([\w-]+)=(?:\"([^\"]*)\"|([^\"\s]+))")
_TOKEN = re.compile(r"[^\s\"]*\"[^\"]*\"|\S+")
_KEYS = ("authority", "tags", "references")


@dataclass(frozen=True, slots=True)
class Heading:
    """What a section's heading says."""

    level: int
    title: str
    line: int
    id: str
    authority: str | None = None
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Ids that it refers to beside those that its text names."""


def read_heading(written: str, line: int, problems: Problems) -> Heading:
    """The heading on a line; what is wrong with it is added to ``problems``, and a stand-in id goes on from there."""
    marks = written.lstrip(" ")
    level = len(marks) - len(marks.lstrip("#"))
    title, block = _split(marks[level:].strip())
    found: dict[str, str] = {}
    for token in _TOKEN.finditer(block or ""):  # one after another: a line may have a million
        key, value, problem = _attribute(token[0])
        if problem is None and key in found:
            problem = Problem(f"{title!r} has {key} twice", "Keep one of them.")
        if problem is not None:
            problems.add(replace(problem, line=line))
        if key:
            found.setdefault(key, value)
    if "id" not in found:
        problems.add(_without_id(title, block, line))
    tags, references = (tuple(filter(None, found.get(key, "").split(","))) for key in ("tags", "references"))
    return Heading(level, title, line, found.get("id", f"line {line}"), found.get("authority"), tags, references)


def _split(text: str) -> tuple[str, str | None]:
    """Title and what stands in the braces at the end; None without braces."""
    block = None
    if text.endswith("}") and "{" in text:
        text, _, block = text[:-1].rpartition("{")
        text = text.rstrip()
    if text.endswith("#"):  # CommonMark: a closing sequence is no part of the title
        bare = text.rstrip("#")
        text = bare.rstrip() if bare.endswith((" ", "\t")) or not bare else text
    return text, block


def _attribute(token: str) -> tuple[str, str, Problem | None]:
    """Key and value of one attribute, and what is wrong with it; an empty key where it has none that is known."""
    if token.startswith("#"):
        if _ID.fullmatch(token, 1):
            return "id", token[1:], None
        return "id", token, Problem(f"{token!r} is no id", "Ids have letters, digits and '_.:-'.")
    pair = _PAIR.fullmatch(token)
    if pair is None:
        return "", "", Problem(f"{token!r} is no attribute", "Write '#id', 'authority=level' or 'tags=one,two'.")
    key = pair[1]
    if key in _KEYS:
        return key, pair[2] if pair[3] is None else pair[3], None
    remedy = did_you_mean(key, _KEYS, f"Known are {', '.join(_KEYS)}.")
    return "", "", Problem(f"unknown attribute {key!r}", remedy)


def _without_id(title: str, block: str | None, line: int) -> Problem:
    if block is None and "{" in title:
        return Problem(
            f"the attributes of {title!r} do not end the line",
            "End the heading with '{#id ...}' and nothing else.",
            line,
        )
    return Problem(f"section {title!r} has no id", f"Write {{#{slug(title) or 'its_id'}}} behind its title.", line)
