"""Which kind of text a file holds, told from how it begins."""

from __future__ import annotations

import re
from enum import Enum


class Kind(Enum):
    """A kind of text."""

    JSON = "json"
    JSONL = "jsonl"
    YAML = "yaml"
    PROSE = "prose"
    """Whatever is none of the others: Markdown, if anything."""


# Blank lines, comments and the mark that opens a document, then a key that a spec has at its top.
_BEFORE_TOP = re.compile(r"(?:[ \t]*(?:#.*)?\n){1,500}|---[ \t]*\n")  # in runs: one line at a time is slow
_YAML_TOP = re.compile(r"[\"']?(?:v|type|id|version|ladder|clauses)[\"']?[ \t]*:(?=\s)")
_ID_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t].*\{#", re.MULTILINE)
_JSON_TOP = re.compile(r"\s*\{\s*[\"}]")
_CLAUSES = re.compile(r"^(?:[\"']?clauses[\"']?[ \t]*:|---[ \t]*$)", re.MULTILINE)


def kind_of(text: str) -> Kind:
    """The kind of ``text``. Quick: nothing is parsed."""
    if _JSON_TOP.match(text):
        start = text.lstrip()
        first, _, rest = start.partition("\n")
        alone = first.rstrip().endswith("}") and (rest.strip() or '"clauses"' not in first)
        return Kind.JSONL if alone else Kind.JSON
    begins = 0
    while before := _BEFORE_TOP.match(text, begins):
        begins = before.end()
    if _YAML_TOP.match(text, begins) is None:
        return Kind.PROSE
    # A mark above the first key ends nothing; one below it ends front matter.
    clauses = _CLAUSES.search(text, begins)
    return Kind.PROSE if clauses is None or clauses[0].startswith("---") else Kind.YAML


def has_ids(text: str) -> bool:
    """Whether a heading carries an id as in ``## Title {#id}``."""
    return _ID_HEADING.search(text) is not None
