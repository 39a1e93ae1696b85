"""Terminal view of one decision record: what was decided, then each clause and the findings about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from specspan.cli.flow import FactRow, FactRows, Flow
from specspan.cli.terminal import WORST_FIRST, clean, mark, plural
from specspan.sqlite.expansion import MISSING_POLICY, outcome_and_reason

Record = Mapping[str, Any]

_QUIET = ("complied", "not_applicable", "unassessed")
_CLAUSE_STYLES = {"complied": "", "not_applicable": "dim"}
MOST_ROWS = 24
"""Findings that get a row each; above this number, those that complied or did not apply share lines."""


def decision_view(
    record: Record, policies: Sequence[Record] = (), *, most_rows: int = MOST_ROWS, only_violated: bool = False
) -> Group:
    """Return a decision record as lines.

    Args:
        record: the decision.
        policies: policy records, which name the clauses that no check looked at.
        most_rows: findings that get a row each; above this number, the quiet ones share lines.
        only_violated: show the violations, and what was done about them, alone.
    """
    return Group(*(_violations(record) if only_violated else _parts(record, policies, most_rows)))


def headline(record: Record) -> Flow:
    """Return the verdict, the action, the mode, and the governing clause with its reason, on one line."""
    facts = [mark(str(record.get("verdict"))), Text("· ", "dim").append(action_text(record), "bold not dim")]
    facts.append(Text(f"· {clean(record.get('mode'))}", "dim"))
    if record.get("governing_clause"):
        governed = Text("· ", "dim").append("governed by ").append(clean(record["governing_clause"]), "bold not dim")
        facts.append(governed)
    if record.get("reason"):
        facts.append(Text(f"({clean(record['reason'])})"))
    return Flow(facts, gap=" ")


def action_text(record: Record) -> str:
    """Return the action that was taken and, where enforce mode would have taken another, that one."""
    taken, would = clean(record.get("action")), clean(record.get("would"))
    return f"{taken}, would {would}" if would and would != taken else taken


def _parts(record: Record, policies: Sequence[Record], most_rows: int) -> Iterator[RenderableType]:
    findings = _findings(record)
    rows, lines = _partition(findings, record, most_rows)
    yield headline(record)
    if rows:
        yield FactRows(map(_finding_row, rows))
    unassessed = _unassessed_clauses(record, findings, policies)
    lines["unassessed"] += unassessed or []
    yield from (_outcome_line(outcome, clauses) for outcome, clauses in lines.items() if clauses)
    yield from _missing_policy(record)
    yield from _complied_count(record, findings)
    if unassessed is None:
        yield from _unassessed_count(record, findings)
    yield from _effects(record)


def _violations(record: Record) -> Iterator[RenderableType]:
    yield headline(record)
    findings = sorted(_findings(record), key=lambda finding: _sort_key(finding, record))
    yield FactRows(_finding_row(finding) for finding in findings if finding.get("outcome") == "violated")
    yield from _effects(record)


def _findings(record: Record) -> list[Record]:
    return [finding for finding in record.get("findings") or () if isinstance(finding, Mapping)]


def _partition(findings: Sequence[Record], record: Record, most_rows: int) -> tuple[list[Record], dict[str, list[str]]]:
    """Return the findings that get a row each, worst first, and the clauses that share a line, by outcome."""
    ordered = sorted(findings, key=lambda finding: _sort_key(finding, record))
    if len(ordered) <= most_rows:
        return ordered, {outcome: [] for outcome in _QUIET}
    quiet = {outcome: [clean(f.get("clause")) for f in ordered if f.get("outcome") == outcome] for outcome in _QUIET}
    return [finding for finding in ordered if finding.get("outcome") not in _QUIET], quiet


def _sort_key(finding: Record, record: Record) -> tuple[int, bool]:
    outcome = finding.get("outcome")
    rank = WORST_FIRST.index(outcome) if outcome in WORST_FIRST else len(WORST_FIRST)
    return rank, finding.get("clause") != record.get("governing_clause")


def _finding_row(finding: Record) -> FactRow:
    """Return the row of a finding: clause, authority, check and reason, evidence; its explanation, where recorded."""
    outcome = str(finding.get("outcome"))
    places = [_place(evidence) for evidence in finding.get("evidence") or ()]
    explanation = [Text(clean(finding["explanation"]), "dim")] if finding.get("explanation") else []
    return FactRow(
        [
            mark(outcome),
            Text(clean(finding.get("clause")), _CLAUSE_STYLES.get(outcome, "bold")),
            Text(clean(finding.get("authority")), "dim"),
            _ground(finding),
            *places[:1],
        ],
        [*places[1:], *explanation],
    )


def _ground(finding: Record) -> Text:
    ground, name = Text(), None
    if isinstance(check := finding.get("check"), Mapping):
        name = check.get("name")
        ground.append(f"{clean(check.get('kind'))} {clean(name)}")
    if finding.get("reason") and finding["reason"] != name:  # a pattern check is named for its reason
        ground.append(": " if ground else "").append(clean(finding["reason"]), "italic")
    return ground


def _place(evidence: Record) -> Text:
    return Text(
        f"{clean(evidence.get('pointer'))}[{clean(evidence.get('start'))}:{clean(evidence.get('end'))}]", "cyan"
    )


def _unassessed_clauses(record: Record, findings: Sequence[Record], policies: Sequence[Record]) -> list[str] | None:
    """Return the clauses in force without a finding, as no check is bound to them; None where they are not recorded."""
    policy = policy_in_force(record, policies)
    if policy is None:
        return None
    found = {finding.get("clause") for finding in findings}
    ids = [str(clause.get("id")) for clause in policy.get("clauses") or ()]
    return [clean(clause) for clause in ids if clause not in found]


def _missing_policy(record: Record) -> Iterator[Text]:
    """Yield what is known of findings by reference where the record of the policy, which names them, is missing."""
    if not record.get(MISSING_POLICY):
        return
    yield Text("⚠ the record of its policy is missing", "bold yellow").append(
        f" ({clean(record[MISSING_POLICY])})", "dim"
    )
    for label, ranges in (record.get("outcomes") or {}).items():
        outcome, reason = outcome_and_reason(str(label))
        line = mark(outcome).append(f": assessments {clean(ranges)} of its list", "")
        yield line.append(f" ({clean(reason)})" if reason else "", "dim")


def _complied_count(record: Record, findings: Sequence[Record]) -> Iterator[Text]:
    """Yield the number of clauses that complied, where they are counted and not named."""
    count = (record.get("counts") or {}).get("complied") or 0
    if count > 0 and not any(finding.get("outcome") == "complied" for finding in findings):
        yield mark("complied").append(f": {plural(count, 'clause')}")


def _unassessed_count(record: Record, findings: Sequence[Record]) -> Iterator[Text]:
    """Yield the number of clauses without a finding, unless it is 0."""
    counted = (record.get("counts") or {}).get("unassessed") or 0
    count = counted - sum(finding.get("outcome") == "unassessed" for finding in findings)
    if count > 0:
        yield mark("unassessed").append(f": {count} clauses that no check looked at")


def policy_in_force(record: Record, policies: Sequence[Record]) -> Record | None:
    """Return the policy record of a decision: the one with its policy and its specs, by their digests."""
    digest, specs = (record.get("policy") or {}).get("digest"), _digests(record)
    same = [policy for policy in policies if digest and (policy.get("policy") or {}).get("digest") == digest]
    return next((policy for policy in same if not specs or _digests(policy) == specs), None)


def _digests(record: Record) -> list[Any]:
    return [spec.get("digest") for spec in record.get("spec") or ()]


def _outcome_line(outcome: str, clauses: Sequence[str]) -> Text:
    line = mark(outcome).append(f" ({len(clauses)}) ", "dim")
    return line.append(", ".join(clauses), "dim")


def _effects(record: Record) -> Iterator[Text]:
    """Yield what was done to the text, and each override that was requested."""
    if record.get("redacted"):
        places = ", ".join(map(clean, record["redacted"]))
        yield Text("✂ redacted ", "bold yellow").append(places, "cyan")
    released = (record.get("stream") or {}).get("released_chars")
    if released is not None:
        yield Text("✂ stream cut", "bold yellow").append(f" after {released:,} characters had been seen", "")
    for override in record.get("overrides") or ():
        yield _override_line(override)


def _override_line(override: Record) -> Text:
    granted = bool(override.get("granted"))
    line = Text("↷ override ", "magenta").append(clean(override.get("clause")))
    line.append(f" by {clean(override.get('by'))} ")
    line.append("granted" if granted else "refused", "green" if granted else "bold red")
    why = [clean(override[key]) for key in ("reason", "refusal") if override.get(key)]
    return line.append(f": {'; '.join(why)}" if why else "", "dim")
