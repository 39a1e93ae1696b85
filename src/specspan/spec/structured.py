"""Clauses built from YAML, JSON or JSONL, once it is read and positioned."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from specspan._support.messages import Problems
from specspan.documents.node import Limits, Node, PathTo, key_of
from specspan.documents.validation import describe_errors
from specspan.errors import Problem, SpecError
from specspan.spec.consistency import resolve_clauses
from specspan.spec.entries import (
    AnswerEntry,
    ClauseEntry,
    ComparisonEntry,
    ExampleEntry,
    HeaderEntry,
    SpecFile,
    TurnEntry,
    VerdictEntry,
)
from specspan.spec.read import Origin
from specspan.spec.spec import (
    Answer,
    Clause,
    Comparison,
    Example,
    Spec,
    Turn,
    Verdict,
    default_id,
    default_version,
    derive_ladder,
)

LIMITS = Limits(max_weight=12_000_000)
"""Limits with room for five megabytes of clauses; the published Model Spec has a quarter of one."""

MAX_CLAUSES = 40_000
"""Number of clauses beyond which a file is refused before each is validated."""

EntryModel = TypeVar("EntryModel", bound=BaseModel)


def read_structured(root: Node | None, origin: Origin) -> Spec:
    """Return the spec that one value holds: a mapping with ``clauses``.

    Raises:
        SpecError: naming every problem found, each with its line and its remedy.
    """
    problems = Problems(origin.source, SpecError)
    clauses = root.children.get("clauses") if root is not None else None
    if root is None or clauses is None or not isinstance(clauses.value, list) or not clauses.value:
        problems.add(Problem("'clauses' is not a list of clauses", "Write 'clauses:' and a list under it."))
        raise problems.error()
    refuse_too_many(len(clauses.value), problems)
    top = Node(
        {key: value for key, value in root.value.items() if key != "clauses"}, root.line, root.children, root.height
    )
    header = validate_entry(HeaderEntry, top, problems, file=SpecFile)
    read = [
        (node.line, validate_entry(ClauseEntry, node, problems, path=("clauses", index)))
        for index, node in clauses.children.items()
    ]
    return build_spec(header, (build_clause(each, line) for line, each in read if each is not None), origin, problems)


def refuse_too_many(clauses: int, problems: Problems) -> None:
    """Refuse a file with more clauses than `MAX_CLAUSES`.

    Raises:
        SpecError: the file has more.
    """
    if clauses > MAX_CLAUSES:
        raise problems.error(Problem(f"there are more than {MAX_CLAUSES:,} clauses", "Write several specs."))


def validate_entry(
    model: type[EntryModel], node: Node, problems: Problems, *, path: PathTo = (), file: type[BaseModel] | None = None
) -> EntryModel | None:
    """Return a value as a model, or None where the model refuses it; the errors are added to ``problems``.

    ``path`` is the place of the value in its file; ``file`` knows more keys there than ``model``, to suggest them.
    """
    try:
        return model.model_validate(node.value)
    except ValidationError as error:
        for below, message, remedy in describe_errors(error, (file or model).model_json_schema()):
            problems.add(Problem(message, remedy, node.at(below).line, key_of((*path, *below))))
    return None


def build_spec(header: HeaderEntry | None, clauses: Iterable[Clause], origin: Origin, problems: Problems) -> Spec:
    """Return the spec of these clauses.

    Raises:
        SpecError: naming every problem found.
    """
    drafts = list(clauses)
    declared = header.ladder if header is not None else None
    ladder = tuple(declared) if declared else derive_ladder(each.authority or "" for each in drafts)
    by_id = resolve_clauses(drafts, ladder, problems)
    problems.raise_if_any()
    return Spec(
        id=(header.id if header is not None else None) or default_id(origin.source, next(iter(by_id))),
        version=(header.version if header is not None else None) or default_version(origin.source),
        digest=origin.digest,
        ladder=ladder,
        clauses=by_id,
        source=origin.source,
        metadata=(header.metadata if header is not None else None) or {},
    )


def build_clause(read: ClauseEntry, line: int) -> Clause:
    """Return a clause; its level is 0 where the entry has none."""
    return Clause(
        id=read.id,
        title=read.title,
        text=read.text,
        authority=read.authority,
        parent=read.parent,
        level=read.level or 0,
        tags=tuple(read.tags),
        commentary=read.commentary,
        references=tuple(dict.fromkeys(read.references)),
        examples=tuple(build_example(each, line) for each in read.examples),
        line=line,
    )


def build_example(read: ExampleEntry, line: int) -> Example:
    """Return an example; ``line`` is the line of its clause."""
    return Example(read.title, _build_turns(read.turns), tuple(map(_build_comparison, read.comparisons)), line)


def _build_comparison(read: ComparisonEntry) -> Comparison:
    return Comparison(tuple(map(_build_answer, read.answers)), read.turn)


def _build_answer(read: AnswerEntry) -> Answer:
    return Answer(_build_turns(read.turns), None if read.verdict is None else _build_verdict(read.verdict))


def _build_verdict(read: VerdictEntry) -> Verdict:
    return Verdict(read.label, read.reason, read.condition, read.charged)


def _build_turns(read: Iterable[TurnEntry]) -> tuple[Turn, ...]:
    return tuple(Turn(each.role, each.content, dict(each.attributes), _build_turns(each.inner)) for each in read)
