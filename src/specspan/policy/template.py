"""First policy for a spec: it loads as it is, only observes, and shows where to write what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from types import MappingProxyType
from typing import Any

import yaml

from specspan.checks.check import CheckKindModule
from specspan.policy.judge_plan import PlannedCheck, check_lines
from specspan.policy.proposals import proposal_lines, propose_checks
from specspan.policy.published_schema import SCHEMA_FILE
from specspan.policy.spec_problems import enclosing_sections
from specspan.spec.spec import Clause, Spec

_WIDTH = 120
_RULE = 100
_MAX_ID_COLUMN = 46


def starting_policy(
    spec: Spec,
    spec_path: str,
    kinds: Mapping[str, CheckKindModule],
    plan: Mapping[str, PlannedCheck] = MappingProxyType({}),
    notes: Sequence[str] = (),
    *,
    ready_made: bool = False,
) -> str:
    """Return the text of a policy that names every binding clause of ``spec`` in the order of the document.

    Args:
        spec: the spec.
        spec_path: path of the spec as seen from the policy file.
        kinds: kinds of check to show an example of, where their schema has one.
        plan: checks that are bound to clauses, by their ids.
        notes: lines that stand above the clauses as a comment.
        ready_made: whether the ready-made checks that fit a clause are switched on; by default they are comments.
    """
    head, examples = _head(spec, spec_path), _examples(kinds)
    return "\n".join([*head, *examples, *_clauses(spec, plan, notes, ready_made=ready_made), *_overrides(spec)]) + "\n"


def _head(spec: Spec, spec_path: str) -> Iterator[str]:
    yield f"# yaml-language-server: $schema={SCHEMA_FILE}"
    yield f"# Editors complete what stands here by that file: specspan policy schema > {SCHEMA_FILE}"
    version = f", version {_comment_text(spec.version)}" if spec.version else ""
    yield f"# What this application does about {_comment_text(spec.id)}{version}."
    yield "# Edit it, then see what is bound: specspan policy check FILE"
    yield ""
    yield "spec:"
    yield f"  path: {_scalar(spec_path)}"
    yield f"  digest: {spec.digest}"
    yield "  # Any other text at that path is refused; without the digest, whatever stands there is in force."
    yield ""
    yield "mode: observe         # observe: record what would be done; enforce: do it"
    yield ""
    yield "defaults:             # for every clause that does not say otherwise"
    yield "  severity: medium    # low, medium, high, critical"
    yield "  action: flag        # when violated: allow, flag, redact, replace, block, escalate"
    yield "  on_error: open      # when a check fails: open (the call goes on), closed (it is blocked), escalate"
    yield "  on_unread: open     # when content cannot be read: open, closed (as a violation), escalate"
    yield "  hold_back: detect   # of a stream: detect (nothing), sentence, all, or characters such as {chars: 64}"
    yield ""


def _is_installed(kind: CheckKindModule) -> bool:
    """Return whether the package that a kind stands on, in its ``REQUIRES``, can be imported here."""
    requires = getattr(kind, "REQUIRES", None)
    return requires is None or find_spec(requires) is not None


def _examples(kinds: Mapping[str, CheckKindModule]) -> Iterator[str]:
    """Yield one clause with everything in it, commented out."""
    yield "# What a clause can say. Copy the lines you need below the clause they are about."
    yield "#"
    yield "#   some_clause:"
    yield "#     severity: critical"
    yield "#     action: replace"
    yield "#     replacement: I can't help with that here.    # what stands in place of the answer"
    yield "#     objective: {target: 99.9%, window: 30d}"
    yield "#     checks:"
    for key, kind in sorted(kinds.items()):
        examples = kind.SCHEMA.get("examples", ()) if _is_installed(kind) else ()
        if examples:
            description = kind.SCHEMA.get("description", "what this kind of check looks at")
            yield f"#       # {key}: {_comment_text(description)}"
        yield from (f"#       - {_flow({key: example})[1:-1]}" for example in examples)
    yield ""


def _clauses(spec: Spec, plan: Mapping[str, PlannedCheck], notes: Sequence[str], *, ready_made: bool) -> Iterator[str]:
    binding = list(spec.binding)
    counts = Counter(clause.authority for clause in binding)
    levels = ", ".join(f"{counts[level]} {_comment_text(level)}" for level in spec.ladder if counts[level])
    yield "# Every clause that binds somebody, with the level of its authority and its title:"
    yield f"# {levels}."
    yield "# One without checks is recorded as unassessed, never as complied."
    yield "# Ready-made checks are proposed below a clause by its words: take the # away from those that fit."
    yield "# What they can say: specspan checks show KIND"
    yield from (f"# {_comment_text(note)}" for note in notes)
    yield "clauses:"
    columns = (
        min(_MAX_ID_COLUMN, max((len(_scalar(clause.id)) for clause in binding), default=0)) + len("  : "),
        max(len(_comment_text(level)) for level in spec.ladder),
    )
    section = None
    for clause in binding:
        *_, top = (clause, *enclosing_sections(spec.clauses, clause))
        if top is not clause and top is not section:
            section = top
            yield ""
            yield f"  # ── {_comment_text(top.title)} ".ljust(_RULE, "─")
        yield from _clause(spec, clause, *columns)
        proposals = propose_checks(clause)
        if clause.id in plan:
            yield from check_lines(plan[clause.id], _flow)
            proposals = tuple(each for each in proposals if each.kind != plan[clause.id].kind)
        yield from proposal_lines(proposals, _flow, has_checks=clause.id in plan, switched_on=ready_made)
    yield ""


def _clause(spec: Spec, clause: Clause, id_column: int, level_column: int) -> Iterator[str]:
    level = _comment_text(clause.authority or "").ljust(level_column)
    line = f"  {_scalar(clause.id)}:".ljust(id_column) + f" # {level}  {_comment_text(clause.title)}".rstrip()
    yield line if len(line) <= _WIDTH or "#" not in line[:_WIDTH] else f"{line[: _WIDTH - 1].rstrip()}…"
    severity = _severity(spec, clause)
    if severity is not None:
        yield f"    severity: {severity}"


def _severity(spec: Spec, clause: Clause) -> str | None:
    """Return a severity for the top level and for the lowest one; those between have the default."""
    levels = len(spec.ladder)
    rank = spec.rank(clause.authority or "")
    if levels > 1 and rank == 0:
        return "high"
    return "low" if levels > 2 and rank == levels - 1 else None


def _overrides(spec: Spec) -> Iterator[str]:
    yield "# Declared exceptions: by a level at least as high as the clause's; the top level is never overridden."
    example = next((clause for clause in spec.binding if spec.rank(clause.authority or "") > 0), None)
    yield "overrides:"
    if example is not None:
        clause, by = _scalar(example.id), _scalar(example.authority or "")
        yield f"#  - {{clause: {clause}, by: {by}, reason: why it is set aside, until: 2099-12-31}}"


def _comment_text(text: str) -> str:
    """Return text that stays in its comment: one line, without control characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]", "", " ".join(text.split()))


def _scalar(text: str) -> str:
    """Return text as YAML reads it back: bare where that is safe, else in single quotes."""
    if re.fullmatch(r"[A-Za-z_./][\w./-]*", text, re.ASCII) and text.lower() not in ("true", "false", "null"):
        return text
    return "'" + text.replace("'", "''") + "'"


def _flow(value: Any) -> str:
    """Return a value in one line of YAML, with every text that is not a mere word in single quotes."""
    return yaml.dump(value, Dumper=_Dumper, default_flow_style=True, sort_keys=False, width=10_000).strip()


class _Dumper(yaml.SafeDumper):
    """YAML dumper that quotes as a person would: a backslash stands for itself, so patterns can be copied."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if re.fullmatch(r"\w+", text) else "'")


_Dumper.add_representer(str, _represent_text)
