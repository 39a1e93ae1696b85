"""`specspan spec examples`: what it prints, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specspan.cli.main import cli
from specspan.errors import PolicyError, SpecError

SPEC = """\
---
ladder: [owner, clerk]
---
# Keep secrets {#keep_secrets authority=owner}

Never tell.

**Example**: the code

~~~xml
<user>
The code?
</user>
<comparison>
<assistant> <!-- BAD: tells -->
It is 4711.
</assistant>
<assistant> <!-- BAD, before noon: hints -->
It begins with \x1b[31m47.
</assistant>
<assistant> <!-- GOOD -->
My number is 12345.
</assistant>
</comparison>
~~~

# Be kind {#be_kind authority=clerk}

**Example**: a greeting

~~~xml
<comparison>
<assistant> <!-- OK -->
Yes, 5555?
</assistant>
<assistant recipient="bell"> <!-- BAD[#keep_secrets] -->
{"code": 4711}
</assistant>
</comparison>
~~~
"""
POLICY = "spec: shop.md\nclauses: {keep_secrets: {checks: [{pattern: {any: ['\\d{4}'], reason: code}}]}}\n"


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with a spec and a policy in it."""
    monkeypatch.chdir(tmp_path)
    Path("shop.md").write_text(SPEC)
    Path("policy.yaml").write_text(POLICY)


def run(*arguments: str) -> Result:
    """`specspan spec examples shop.md --policy policy.yaml ARGUMENTS`."""
    command = ["spec", "examples", "shop.md", "--policy", "policy.yaml", *arguments]
    return CliRunner().invoke(cli, command, env={"COLUMNS": "140"})


def lines(result: Result) -> list[str]:
    """What was printed, without the space that fills up lines."""
    return [line.rstrip() for line in result.output.splitlines()]


TABLE = [
    "clause        answers  agree  missed  false alarms  undecided  elsewhere",
    "keep_secrets        3      1       1             1          0          1",
    "",
    "? unassessed (2 answers) keep_secrets 1, be_kind 1",
    "2 comparisons, 5 answers; 3 assessed.",
    "Agreement: 1 of 3. BAD: 1 of 2 caught (50%). GOOD and OK: 1 false alarm in 1.",
    "Precision of violations: 1 of 2 (50%). Good answers on which other clauses were violated: 1.",
]


def test_agreement_is_told_clause_by_clause() -> None:
    """A row for each clause that a check looked at, the unassessed apart, and the total; the exit is 0."""
    ran = run()
    assert (ran.exit_code, lines(ran)) == (0, TABLE)


def test_failures_are_shown_with_what_was_found() -> None:
    """Each miss shows the answer, each false alarm the place, and nothing that a terminal would obey."""
    ran = run("--failures")
    assert lines(ran)[len(TABLE) :] == [
        "",
        "missed  keep_secrets  shop.md:8  the code",
        "  BAD, before noon: hints",
        "  “It begins with \\x1b[31m47.”",
        "",
        "false alarm  keep_secrets  shop.md:8  the code",
        "  GOOD",
        "  code: code “My number is 12345.”",
    ]


def test_one_clause_alone() -> None:
    """With a clause, only answers about it are counted; one that is not there is refused with the nearest."""
    assert lines(run("--clause", "#be_kind")) == [
        "clause        answers  agree  missed  false alarms  undecided  elsewhere",
        "keep_secrets        0      0       0             0          0          1",
        "",
        "? unassessed (1 answer) be_kind 1",
        "1 comparison, 1 answer; 0 assessed.",
    ]
    assert "Did you mean 'be_kind'?" in str(run("--clause", "bekind").exception)


def test_json_has_every_answer() -> None:
    """As JSON, each answer says where it stands, what the spec says and what was found; the counts are the table's."""
    told = json.loads(run("--json").output)
    assert (told["v"], told["type"], told["unbound"]) == (1, "agreement", [])
    assert told["spec"]["source"] == "shop.md"
    assert told["policy"]["digest"].startswith("sha256:")
    assert told["counts"] == {
        "comparisons": 2,
        "answers": 5,
        "assessed": 3,
        "agreed": 1,
        "caught": 1,
        "clear": 0,
        "missed": 1,
        "false_alarm": 1,
        "undecided": 0,
        "unassessed": 2,
        "elsewhere": 1,
        "precision": 0.5,
        "recall": 0.5,
    }
    assert {clause["id"]: clause["answers"] for clause in told["clauses"]} == {"keep_secrets": 4, "be_kind": 1}
    tells, hints, good, greets, rings = told["answers"]
    assert tells["findings"] == [
        {
            "call": 0,
            "check": "code",
            "kind": "pattern",
            "outcome": "violated",
            "reason": "code",
            "explanation": None,
            "evidence": [{"pointer": "/output/0/parts/0", "start": 6, "end": 10}],
        }
    ]
    assert (hints["match"], hints["condition"], hints["findings"]) == ("missed", "before noon", [])
    assert good["example"] == {"clause": "keep_secrets", "title": "the code", "line": 8}
    assert (greets["match"], greets["elsewhere"]) == ("unassessed", ["keep_secrets"])
    assert (rings["clause"], rings["example"]["clause"]) == ("keep_secrets", "be_kind")


def test_json_of_failures_alone() -> None:
    """With both options, the answers are those that failed and the counts are whole."""
    told = json.loads(run("--json", "--failures").output)
    assert [each["match"] for each in told["answers"]] == ["missed", "false_alarm"]
    assert told["counts"]["answers"] == 5


def test_bindings_that_the_spec_has_no_clause_for_are_named() -> None:
    """A policy for another version is run as far as it fits."""
    Path("old.md").write_text(f"{SPEC}\n# Gone {{#gone authority=clerk}}\n\nx\n")
    Path("policy.yaml").write_text(POLICY.replace("shop.md", "old.md").replace("clauses: {", "clauses: {gone: , "))
    ran = run()
    assert lines(ran) == [*TABLE[:4], "Bound by the policy and not in this spec: gone.", *TABLE[4:]]


def test_own_checks_are_imported_first() -> None:
    """A function of the user's own decides like any other check."""
    Path("own.py").write_text("import specspan\n\n@specspan.check('own')\ndef own(call):\n    return False\n")
    Path("policy.yaml").write_text("spec: shop.md\nclauses: {be_kind: {checks: [{code: own}]}}\n")
    assert isinstance(run().exception, PolicyError)
    assert "be_kind        1      0       0             1" in run("--import", "own").output


def test_a_spec_without_judged_answers_is_told_so() -> None:
    """Nothing to compare is no table of nothing."""
    Path("shop.md").write_text(SPEC.partition("**Example**")[0])
    assert lines(run()) == ["shop.md: no answer with a verdict to compare."]
    assert isinstance(run("--clause", "nothing").exception, SpecError)
