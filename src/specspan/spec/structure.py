"""A spec as the mapping that YAML and JSON files hold: what stands at its default is left out."""

from __future__ import annotations

from typing import Any

from specspan.spec.json import clause_to_json
from specspan.spec.model import Clause, Spec


def structure(spec: Spec) -> dict[str, Any]:
    """The whole spec, as `specspan.spec.entries` reads it."""
    return {**header(spec), "clauses": [entry_of(clause, spec) for clause in spec.clauses.values()]}


def header(spec: Spec) -> dict[str, Any]:
    """What it says of itself."""
    return {"v": 1, "type": "spec", "id": spec.id, **_given({"version": spec.version}), "ladder": list(spec.ladder)}


def entry_of(clause: Clause, spec: Spec) -> dict[str, Any]:
    """One clause. Its level stands there only where it is not one below its parent's."""
    entry = clause_to_json(clause)
    level = spec.clauses[clause.parent].level + 1 if clause.parent is not None else 1
    if clause.level == level:
        del entry["level"]
    order = ("id", "title", "authority", "parent", "level", "tags", "text", "commentary", "references", "examples")
    return {key: without_lines(entry[key]) for key in order if entry.get(key) not in _EMPTY or key in _ALWAYS}


def without_lines(value: Any) -> Any:
    """A value without line numbers and whatever is empty; a turn's content and an answer's turns stay."""
    if isinstance(value, dict):
        kept = {
            key: each if key == "attributes" else without_lines(each) for key, each in value.items() if key != "line"
        }
        return {key: each for key, each in kept.items() if each not in _EMPTY or key in _ALWAYS}
    return [without_lines(each) for each in value] if isinstance(value, list) else value


_EMPTY: tuple[Any, ...] = (None, "", [], {})
_ALWAYS = frozenset(("id", "title", "content", "turns", "answers", "turn", "label"))


def _given(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value is not None}
