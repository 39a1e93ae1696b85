"""Writer of a spec in JSONL: a line with its identity, then one clause a line."""

from __future__ import annotations

import json
from typing import Any

from specspan.spec.spec import Clause, Spec
from specspan.spec.spec_json import clause_to_mapping, header_to_mapping

FORMAT = "jsonl"


def write(spec: Spec) -> str:
    """Return the text of a JSONL file. Every line but the first has the six published keys."""
    lines = [header_to_mapping(spec), *(_line_entry(clause, spec) for clause in spec.clauses.values())]
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def _line_entry(clause: Clause, spec: Spec) -> dict[str, Any]:
    rest = clause_to_mapping(clause, spec)
    for key in ("id", "authority", "parent", "text", "references"):
        rest.pop(key, None)
    return {
        "id": clause.id,
        "text": clause.text,
        "type": "section" if clause.authority is None else "clause",
        "authority_level": clause.authority,
        "section": clause.parent,
        "related_statements": list(clause.references),
        **rest,
    }
