"""Linter for the author of a spec: problems that the reader refuses, and text that most likely is not meant so."""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from specspan._support.files import read_text_file
from specspan._support.messages import did_you_mean
from specspan.errors import Problem, SpecError
from specspan.spec.read import MAX_BYTES, load_spec
from specspan.spec.spec import Clause, Spec

_INSTRUCTS = re.compile(r"\b(?:should|must|shall|never|always|may not|do not|don['’]t)\b", re.IGNORECASE)
_FOOTNOTE = re.compile(r"\[\^([\w-]+)\]")
_FOOTNOTE_DEFINED = re.compile(r"^ {0,3}\[\^([\w-]+)\]:", re.MULTILINE)
_MENTION = re.compile(r"#([\w.:-]*\w)")
_MOST_COMPARED = 20
"""Number of unknown ids that are compared with all known ones; comparing takes time."""


class LintGrade(str, Enum):
    """Weight of a finding, the heaviest first."""

    ERROR = "error"
    """Something is broken: a line cannot be read, or it names something that is missing."""
    WARNING = "warning"
    """The text is read, and most likely not meant so."""
    NOTE = "note"
    """Worth knowing, and often meant so."""


@dataclass(frozen=True, slots=True)
class LintFinding:
    """Finding of one lint rule."""

    grade: LintGrade
    rule: str
    """Code from a closed set, such as ``dangling_reference``."""
    message: str
    remedy: str
    line: int | None = None
    """Line counted from 1; None when the whole file is meant."""
    clause: str | None = None
    """Id of the clause that the finding is about."""


@dataclass(frozen=True, slots=True)
class LintResult:
    """Findings about one file."""

    source: str
    findings: tuple[LintFinding, ...]
    """Findings in the order of lines."""
    spec: Spec | None
    """None where the reader refuses the file; then the findings are the reader's problems."""


def lint_file(path: str | os.PathLike[str]) -> LintResult:
    """Lint a spec's file.

    Raises:
        SpecError: no reader knows the text.
    """
    text = read_text_file(path, what="spec", max_bytes=MAX_BYTES, error=SpecError).text
    try:
        spec = load_spec(path)
    except SpecError as error:
        if all(problem.line is None for problem in error.problems):
            raise  # the whole file is refused, not some lines of it
        return LintResult(error.source, _sorted_by_line(_refusal(problem) for problem in error.problems), None)
    return LintResult(spec.source, lint_spec(spec, text), spec)


def lint_spec(spec: Spec, text: str) -> tuple[LintFinding, ...]:
    """Lint a spec that was read.

    Args:
        spec: the spec.
        text: the document it was read from: findings name its lines.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parents = {clause.parent for clause in spec.clauses.values()}
    findings: list[LintFinding] = [*_undefined_footnotes(spec, text), *_dangling_references(spec, text)]
    for clause in spec.clauses.values():
        findings += _label_findings(spec, clause, opens_chapter=clause.id in parents)
        findings += _empty_clauses(clause)
    return _sorted_by_line(findings)


def _refusal(problem: Problem) -> LintFinding:
    return LintFinding(LintGrade.ERROR, "refused", problem.message, problem.remedy, problem.line)


def _sorted_by_line(findings: Iterable[LintFinding]) -> tuple[LintFinding, ...]:
    return tuple(sorted(findings, key=lambda finding: finding.line or 0))


def _dangling_references(spec: Spec, text: str) -> Iterator[LintFinding]:
    """Yield references to unknown clauses: in prose, in example titles and in verdicts."""
    missing = [
        (clause, id_) for clause in spec.clauses.values() for id_ in clause.references if id_ not in spec.clauses
    ]
    lines = _line_numbers(_MENTION, text) if missing else {}
    for n, (clause, id_) in enumerate(missing):
        message = f"{clause.id!r} refers to an unknown section {id_!r}"
        remedy = "Correct it, or write the section it means."
        if n < _MOST_COMPARED:
            remedy = did_you_mean(id_, spec.clauses, remedy)
        line = _first_line_from(lines.get(id_, []), clause.line)
        yield LintFinding(LintGrade.ERROR, "dangling_reference", message, remedy, line, clause.id)


def _label_findings(spec: Spec, clause: Clause, *, opens_chapter: bool) -> Iterator[LintFinding]:
    """Yield a label that is missing, or one that is stronger than that of the section around it."""
    if clause.authority is None:
        if _INSTRUCTS.search(clause.text):
            # The opening of a chapter is often about its sections, which have levels of their own.
            grade = LintGrade.NOTE if opens_chapter else LintGrade.WARNING
            message = f"{clause.id!r} gives instructions but has no authority, so it binds nobody"
            yield LintFinding(grade, "unlabelled", message, "Give it one if it is to bind.", clause.line, clause.id)
        return
    parent = spec.clauses.get(clause.parent or "")
    if parent and parent.authority and spec.rank(clause.authority) < spec.rank(parent.authority):
        message = f"{clause.id!r} ({clause.authority}) is stronger than {parent.id!r} ({parent.authority}) around it"
        remedy = "See whether both labels are meant."
        yield LintFinding(LintGrade.WARNING, "stronger_than_parent", message, remedy, clause.line, clause.id)


def _empty_clauses(clause: Clause) -> Iterator[LintFinding]:
    if clause.authority is not None and not clause.text.strip() and not clause.examples:
        message = f"{clause.id!r} binds and says nothing"
        yield LintFinding(
            LintGrade.WARNING,
            "empty_clause",
            message,
            "Write its text, or take its level away.",
            clause.line,
            clause.id,
        )


def _undefined_footnotes(spec: Spec, text: str) -> Iterator[LintFinding]:
    """Yield marks of undefined footnotes: one finding each, or one for all where a document defines none."""
    defined = {mark for clause in spec.clauses.values() for mark in _FOOTNOTE_DEFINED.findall(_markdown_text(clause))}
    first: dict[str, Clause] = {}
    for clause in spec.clauses.values():
        for mark in _FOOTNOTE.findall(_markdown_text(clause)):
            if mark not in defined:
                first.setdefault(mark, clause)
    if not first:
        return
    lines = _line_numbers(_FOOTNOTE, text)
    if not defined:
        mark, clause = next(iter(first.items()))
        message = f"{len(first)} footnote marks are defined nowhere, '[^{mark}]' the first of them"
        remedy = "Define them, or leave them if the notes live elsewhere."
        yield LintFinding(
            LintGrade.NOTE, "undefined_footnote", message, remedy, _first_line_from(lines.get(mark, []), clause.line)
        )
        return
    for mark, clause in first.items():
        message, remedy = f"'[^{mark}]' is defined nowhere", f"Write '[^{mark}]: …' on a line of its own."
        line = _first_line_from(lines.get(mark, []), clause.line)
        yield LintFinding(LintGrade.WARNING, "undefined_footnote", message, remedy, line, clause.id)


def _markdown_text(clause: Clause) -> str:
    return f"{clause.text}\n\n{clause.commentary}"


def _line_numbers(pattern: re.Pattern[str], text: str) -> dict[str, list[int]]:
    """Return the lines on which each name matched by ``pattern`` stands."""
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for name in pattern.findall(line):
            lines.setdefault(name, []).append(number)
    return lines


def _first_line_from(lines: list[int], start: int) -> int:
    """Return the first of ``lines`` from ``start`` on; ``start`` where there is none."""
    at = bisect_left(lines, start)
    return lines[at] if at < len(lines) else start
