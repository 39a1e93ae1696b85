"""Reader of a spec in JSONL: one clause a line.

As people publish it, six keys a line::

    {
        "id": "be_kind",
        "text": "…",
        "type": "requirement",
        "authority_level": "USER",
        "section": "Style",
        "related_statements": ["be_honest"],
    }

Or beginning with a line ``{"type": "spec", …}``: then nothing is guessed, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from specspan._support.messages import Problems
from specspan.documents.json import read_json_lines
from specspan.documents.node import Node
from specspan.errors import Problem, SpecError
from specspan.spec.entries import BareLineEntry, HeaderEntry, LineEntry
from specspan.spec.read import Origin, TextKind, classify_text
from specspan.spec.spec import Clause, Spec, slug
from specspan.spec.structured import LIMITS, build_clause, build_spec, refuse_too_many, validate_entry


def reads(text: str) -> bool:
    """Return whether the first line is a JSON object of its own."""
    return classify_text(text) is TextKind.JSONL


def read(text: str, origin: Origin) -> Spec:
    """Return the spec of a JSONL file.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    nodes = list(_read_objects(text, origin.source, problems))
    problems.raise_if_any()
    refuse_too_many(len(nodes), problems)
    if nodes[0].value.get("type") != "spec":
        return build_spec(None, _with_sections(_bare_clauses(nodes, problems)), origin, problems)
    header = validate_entry(HeaderEntry, nodes[0], problems)
    clauses = list(_full_clauses(nodes[1:], problems))
    if not clauses:
        problems.add(Problem("the file has no clause", "Write one JSON object a line below the first."))
        raise problems.error()
    return build_spec(header, clauses, origin, problems)


def _read_objects(text: str, source: str, problems: Problems) -> Iterator[Node]:
    """Yield the object of each line."""
    for node in read_json_lines(source, text, error=SpecError, limits=LIMITS):
        if isinstance(node.value, dict):
            yield node
        else:
            problems.add(
                Problem("this line is not a JSON object", "Write one clause a line: '{\"id\": …}'.", node.line)
            )


def _full_clauses(nodes: list[Node], problems: Problems) -> Iterator[Clause]:
    for node in nodes:
        read = validate_entry(LineEntry, node, problems)
        if read is None:
            continue
        if (read.type == "section") != (read.authority is None):
            remedy = "A clause has an 'authority_level', a section has null."
            message = f"type {read.type!r} of {read.id!r} contradicts its 'authority_level'"
            problems.add(Problem(message, remedy, node.line))
        yield build_clause(read, node.line)


def _bare_clauses(nodes: list[Node], problems: Problems) -> Iterator[Clause]:
    """Yield clauses as published: levels in capitals too, titles made from ids, ``section`` in place of a parent."""
    for node in nodes:
        read = validate_entry(BareLineEntry, node, problems)
        if read is not None:
            yield Clause(
                id=read.id,
                title=" ".join(read.id.replace("_", " ").replace("-", " ").split()).capitalize() or read.id,
                text=read.text,
                authority=None if read.authority_level is None else read.authority_level.lower(),
                parent=read.section or None,
                level=0,
                references=tuple(dict.fromkeys(read.related_statements)),
                line=node.line,
            )


def _with_sections(clauses: Iterator[Clause]) -> Iterator[Clause]:
    """Yield the clauses, each under its section: another line by its id, or a section made of a title."""
    drafts = list(clauses)
    ids = {each.id for each in drafts}
    taken, made = set(ids), dict[str, str]()
    for each in drafts:
        title = each.parent
        if title is None or (title in ids and title != each.id):
            yield each
            continue
        if title not in made:
            made[title] = _unique_id(slug(title) or "section", taken)
            yield Clause(made[title], title, "", None, level=0, line=each.line)
        yield replace(each, parent=made[title])


def _unique_id(id_: str, taken: set[str]) -> str:
    """Return ``id_``, or the first variant of it that is free, and mark it as taken."""
    number = 1
    free = id_
    while free in taken:
        number += 1
        free = f"{id_}_{number}"
    taken.add(free)
    return free
