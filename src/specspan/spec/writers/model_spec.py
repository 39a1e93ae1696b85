"""Writer of a spec in the Model Spec's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

import yaml

from specspan._support.messages import Problems
from specspan.errors import Problem, SpecError
from specspan.spec.conversation import conversation_text
from specspan.spec.read import Origin
from specspan.spec.readers import model_spec
from specspan.spec.spec import Clause, Example, Spec

FORMAT = "markdown"

_REMEDY = "Write it as YAML, JSON or JSONL."
_FENCES = re.compile(r"^ {0,3}(~{3,})", re.MULTILINE)


def write(spec: Spec) -> str:
    """Return the text of a Markdown file.

    It is read back before it is handed over: Markdown cannot hold every text that YAML can, such as a heading inside a
    clause.

    Raises:
        SpecError: the text does not read back as the same clauses; those in question are named.
    """
    children: dict[str | None, list[Clause]] = {}
    for clause in spec.clauses.values():
        children.setdefault(clause.parent, []).append(clause)
    order = list(_depth_first(children))
    text = _text(spec, order, {})
    read_back = _read_back(text, spec)
    # References that the text does not name, or names in another order, are written out.
    named = {
        clause.id: clause.references
        for clause in order
        if clause.id in read_back and read_back[clause.id].references != clause.references
    }
    if named:
        text = _text(spec, order, named)
        read_back = _read_back(text, spec)
    _refuse_differences(spec, read_back)
    return text


def _depth_first(children: Mapping[str | None, list[Clause]]) -> Iterator[Clause]:
    """Yield every section before its own sections, and those before its next neighbour."""
    left = list(reversed(children.get(None, [])))
    while left:
        clause = left.pop()
        yield clause
        left += reversed(children.get(clause.id, []))


def _text(spec: Spec, order: list[Clause], references: Mapping[str, tuple[str, ...]]) -> str:
    front = ["---", f"id: {spec.id}", *([f"version: {spec.version}"] if spec.version else [])]
    front.append(f"ladder: [{', '.join(spec.ladder)}]")
    if spec.metadata:
        front.append(yaml.safe_dump(dict(spec.metadata), allow_unicode=True, sort_keys=False).rstrip("\n"))
    blocks = ["\n".join([*front, "---"])]
    for clause in order:
        blocks += _clause_blocks(clause, references.get(clause.id, ()))
    return "\n\n".join(blocks) + "\n"


def _clause_blocks(clause: Clause, references: tuple[str, ...]) -> Iterator[str]:
    attributes = [f"#{clause.id}"]
    if clause.authority is not None:
        attributes.append(f"authority={clause.authority}")
    attributes += [
        f"{key}={_quote(','.join(values))}"
        for key, values in (("tags", clause.tags), ("references", references))
        if values
    ]
    yield f"{'#' * clause.level} {clause.title} {{{' '.join(attributes)}}}"
    if clause.text:
        yield clause.text
    if clause.commentary:
        lines = (f"    {line}" if line.strip() else line for line in clause.commentary.split("\n"))
        yield '!!! meta "Commentary"\n' + "\n".join(lines)
    for example in clause.examples:
        yield f"**Example**: {example.title}".rstrip()
        conversation = conversation_text(example)
        mark = "~" * max([3, *(len(fence) + 1 for fence in _FENCES.findall(conversation))])
        yield f"{mark}xml\n{conversation}\n{mark}"


def _quote(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value


def _read_back(text: str, spec: Spec) -> Mapping[str, Clause]:
    try:
        as_loaded = text.replace("\r\n", "\n").replace("\r", "\n")
        return model_spec.read(as_loaded, Origin(spec.source, spec.digest)).clauses
    except SpecError as error:
        problems = (Problem(f"as Markdown it would be broken: {one.message}", _REMEDY) for one in error.problems)
        raise SpecError(spec.source, *problems) from error


def _refuse_differences(spec: Spec, read_back: Mapping[str, Clause]) -> None:
    problems = Problems(spec.source, SpecError)
    for clause in spec.clauses.values():
        if clause.id not in read_back or _normalise(read_back[clause.id], clause) != _normalise(clause, clause):
            problems.add(Problem(f"Markdown cannot hold {clause.id!r} as it is", _REMEDY, clause.line or None))
    for id_ in read_back:
        if id_ not in spec.clauses:
            problems.add(Problem(f"as Markdown, text would become a section {id_!r}", _REMEDY))
    problems.raise_if_any()


def _normalise(clause: Clause, given: Clause) -> Clause:
    """Return a clause without its lines, and with blank lines between blocks counted as one.

    References that only its text names are left out: Markdown finds them, other formats have those they are given.
    """
    return replace(
        clause,
        text=_collapse_blank_lines(clause.text),
        commentary=_collapse_blank_lines(clause.commentary),
        references=clause.references[: len(given.references)],
        examples=tuple(map(_normalise_example, clause.examples)),
        line=0,
    )


def _collapse_blank_lines(text: str) -> str:
    return re.sub(r"\n(?:[ \t]*\n)+", "\n\n", text)


def _normalise_example(example: Example) -> Example:
    return replace(example, title=" ".join(example.title.split()), line=0)
