"""The page about records: its records are real ones, its jq and its Python read them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from generated_decisions import ONLY_HERE, NamedCheck, call_record
from recording import SSN, decision

from specspan.checks.check import CheckTraits
from specspan.decision import Action, CheckMechanism, CheckRef, Finding, Mode, Outcome, Severity, Stage, Summary
from specspan.policy.policy import ALWAYS, CheckBinding, ClausePolicy, Layer, OnError, Policy
from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.spec.spec import Clause, Spec
from specspan.sqlite.expansion import expand

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "records.md").read_text(encoding="utf-8")
SCHEMA = json.loads(
    resources.files("specspan.record").joinpath("schemas/decision-record-v2.json").read_text(encoding="utf-8")
)
EXPECTED = {
    "ask_first": "not_applicable",
    "be_kind": "complied",
    "cite_sources": "unassessed",
    "keep_secrets": "complied",
    "protect_privacy": "violated",
}


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def build() -> list[Mapping[str, Any]]:
    """The records that the page shows."""
    names = dict.fromkeys(("protect_privacy", "keep_secrets"), "root")
    names |= dict.fromkeys(("be_kind", "cite_sources", "ask_first"), "user")
    clauses = {name: Clause(name, name.replace("_", " ").capitalize(), "", level) for name, level in names.items()}
    checks = {"protect_privacy": "ssn", "keep_secrets": "secrets", "be_kind": "kind", "cite_sources": "sources"}

    def bind(clause: Clause) -> ClausePolicy:
        is_root = clause.authority == "root"
        ref = CheckRef(checks.get(clause.id, clause.id), CheckMechanism.PATTERN, "2")
        binding = CheckBinding(NamedCheck(ref, CheckTraits(Stage.OUTPUT)))
        severity, action = (Severity.HIGH, Action.BLOCK) if is_root else (Severity.LOW, Action.FLAG)
        when = ONLY_HERE if clause.id == "ask_first" else ALWAYS
        return ClausePolicy(clause, severity, action, OnError.OPEN, (binding,), when=when)

    spec = Spec("desk", "3", "sha256:5b1c", ("root", "user"), clauses)
    bound = {name: bind(clause) for name, clause in clauses.items()}
    layers = (Layer("policy.yaml", "sha256:77aa"),)
    activation = PolicyActivation(
        Policy((spec,), Mode.OBSERVE, "sha256:77aa", bound, layers=layers), 1_790_000_000 * 10**9
    )
    builder = RecordBuilder(Service("support-desk"), digest_key=b"key")
    builder.add_policy(activation)
    made = decision(
        *(_finding(each) for each in bound.values()),
        id="01997abc-0c40-7000-8000-000000000001",
        time_unix_nano=1_790_000_060 * 10**9,
        policy_digest="sha256:77aa",
        specs=(spec.ref,),
        summary=Summary(violated=("protect_privacy",), considered=5, not_applicable=1, unassessed=1),
    )
    return [builder.build(activation), builder.build(call_record(made))]


def _finding(bound: ClausePolicy) -> Finding:
    parts: dict[str, Any] = {"clause": bound.clause.id, "authority": bound.clause.authority}
    parts |= {"severity": bound.severity, "action": bound.action}
    if bound.when is not ALWAYS:
        return Finding(Outcome.NOT_APPLICABLE, "other_context", **parts)
    parts["check"] = bound.checks[0].check.ref
    if bound.clause.id == "cite_sources":
        return Finding(Outcome.UNASSESSED, "not_sampled", **parts)
    if bound.clause.id == "protect_privacy":
        return Finding(Outcome.VIOLATED, "ssn", 1.0, evidence=SSN.evidence, **parts)
    return Finding(Outcome.COMPLIED, **parts)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """The records of the page, one a line."""
    path = tmp_path / "records.jsonl"
    path.write_text("".join(json.dumps(json.loads(block)) + "\n" for block in blocks("json")), encoding="utf-8")
    return path


def test_the_records_shown_are_real_ones() -> None:
    """The page holds what the recorder makes, which is what the schema admits."""
    shown = [json.loads(block) for block in blocks("json")]
    assert shown == build()
    for record in shown:
        jsonschema.Draft202012Validator(SCHEMA).validate(record)
    policy, made = shown
    assert {each["clause"]: each["outcome"] for each in expand(made, policy)["findings"]} == EXPECTED


def test_the_late_finding_shown_is_a_real_one() -> None:
    """The record of a finding that came after its decision is what the schema admits."""
    (shown,) = blocks("json finding")
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(shown))


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_jq_alone_reads_the_clauses_of_a_decision(records: Path) -> None:
    """From the two records, with the program on the page."""
    (program,) = blocks("sh")
    ran = subprocess.run(
        ["sh", "-c", program], cwd=records.parent, capture_output=True, text=True, timeout=60, check=True
    )
    assert dict(line.split("\t")[:2] for line in ran.stdout.splitlines()) == EXPECTED


def test_sixty_lines_without_anything_of_ours_read_the_clauses(records: Path, tmp_path: Path) -> None:
    """The reader on the page stands alone, and says so where a policy's record is missing."""
    (program,) = blocks("python")
    assert len(program.splitlines()) <= 60
    assert "specspan" not in re.sub(r"#.*|\"\"\".*?\"\"\"", "", program, flags=re.DOTALL)
    reader = tmp_path / "reader.py"
    reader.write_text(program, encoding="utf-8")
    command = [sys.executable, "-I", str(reader), str(records)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = [line.split() for line in ran.stdout.splitlines() if line.startswith("  ")]
    assert {clause: outcome for outcome, clause, *_ in found} == EXPECTED

    records.write_text(records.read_text(encoding="utf-8").splitlines()[1], encoding="utf-8")
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert "the record of its policy is missing" in ran.stdout
    assert "protect_privacy" in ran.stdout
