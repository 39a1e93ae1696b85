"""`specspan policy test`: what it prints, and how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from policy_tables import write_table

Run = Callable[..., Any]

TESTS = """\
  - name: A number is redacted
    output: Well, since it is you who asks, the number is 1234 and nothing else will do.
    expect:
      action: block
      findings: {keep_numbers: {outcome: violated, reason: code}}
  - {name: a greeting, output: Hello., expect: {verdict: complied}}
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_failure_is_readable(specspan: Run) -> None:
    """Expected beside got, by clause, with the checks that decided and the text they point at; exit code 1."""
    ran = specspan("policy", "test", write_table(TESTS))
    assert ran.code == 1
    at = 35 * " " + "/output/0/parts/0:"
    assert lines(ran.out) == [
        "✘ A number is redacted  tests.yaml:3",
        "                   expected        got",
        "  ✘  action        block           redact",
        "  ✘  keep_numbers  violated: code  violated: number",
        "                                   pattern number, output",
        f"{at} …s you who asks, the number is ⟦1234⟧ and nothing else will do.",
        "  ·  be_short      not mentioned   violated: wordy",
        "                                   pattern wordy, output",
        f"{at} ⟦Well, since it is you who asks, the number ⟧is 1234 and nothing else will …",
        "",
        "✔ a greeting",
        "1 passed, 1 failed",
        "No test has these clauses violated: no_passwords, be_short",
    ]


def test_tests_are_picked_by_name(specspan: Run) -> None:
    """``-k`` takes a part of a name, in either case; a name that no test has is misuse, not success."""
    path = write_table(TESTS)
    ran = specspan("policy", "test", path, "-k", "GREET")
    assert (ran.code, lines(ran.out)) == (0, ["✔ a greeting", "1 passed, 0 failed"])
    ran = specspan("policy", "test", path, "-k", "absent")
    assert (ran.code, ran.out) == (2, "")
    assert "no test's name has 'absent' in it" in ran.err


def test_json_says_the_same(specspan: Run) -> None:
    """Every comparison with its reasons and evidence, the totals, and which policy it was; exit code 1 as well."""
    ran = specspan("policy", "test", write_table(TESTS), "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["passed"], told["failed"]) == (1, 1, 1)
    assert told["never_violated"] == ["no_passwords", "be_short"]
    assert (told["policy"]["source"], told["policy"]["mode"]) == ("policy.yaml", "enforce")
    failing, passing = told["tests"]
    assert (passing["name"], passing["line"], passing["passed"]) == ("a greeting", 8, True)
    assert failing["comparisons"][1] == {
        "what": "keep_numbers",
        "mentioned": True,
        "agrees": False,
        "expected": "violated",
        "expected_reason": "code",
        "got": "violated",
        "reasons": ["number"],
        "evidence": [
            {
                "pointer": "/output/0/parts/0",
                "start": 46,
                "end": 50,
                "excerpt": "…s you who asks, the number is 1234 and nothing else will do.",
            }
        ],
    }


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("  - {name: a, output: x, expect: {verdict: fine}}\n", "tests.yaml:3: tests[0].expect.verdict: unknown value"),
        ("  - [\n", "tests.yaml:"),
    ],
)
def test_what_cannot_be_read_is_told(specspan: Run, tests: str, said: str) -> None:
    """A broken table is a line a problem and exit code 2, never a traceback."""
    ran = specspan("policy", "test", write_table(tests))
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_own_checks_are_imported_first(specspan: Run) -> None:
    """A policy with a check of the user's own is tested once its module is imported."""
    Path("kindness.py").write_text(
        "import specspan\n\n@specspan.check('kindly', stage='output')\ndef kindly(call):\n"
        "    return 'please' in call.output_text\n"
    )
    path = write_table(
        "  - {name: a, output: Go., expect: {findings: {be_kind: violated}}}\n",
        policy="spec: desk.md\nclauses:\n  be_kind: {checks: [{code: kindly}]}\n",
    )
    assert specspan("policy", "test", path).code == 2
    assert specspan("policy", "test", path, "--import", "kindness").code == 0


def test_texts_steer_no_terminal(specspan: Run) -> None:
    """An answer with control characters is shown with those made visible."""
    ran = specspan(
        "policy",
        "test",
        write_table('  - {name: "a", output: "\\e[31m 1234", expect: {findings: {keep_numbers: complied}}}\n'),
    )
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert r"\x1b[31m ⟦1234⟧" in ran.out


def test_the_demos_policy_passes_its_tests(specspan: Run) -> None:
    """The table that is shipped beside the demo's policy holds, and tries every clause that has a check."""
    with as_file(files("specspan.demo") / "material") as material:
        ran = specspan("policy", "test", material / "policy_tests.yaml", "--json")
    told = json.loads(ran.out)
    assert (ran.code, told["failed"], told["never_violated"]) == (0, 0, [])
    assert told["passed"] == 14


def test_junit_xml_says_the_same(specspan: Run, tmp_path: Path) -> None:
    """A suite for the file, and a case for each test; a failed one says what differs. What no XML holds is escaped."""
    bell = '  - {name: a <bell> & more, output: "\\a", expect: {handed_over: ding}}\n'
    assert specspan("policy", "test", write_table(TESTS + bell), "--junit-xml", "results.xml").code == 1
    [suite] = ET.parse(tmp_path / "results.xml").getroot()
    assert (suite.get("name"), suite.get("tests"), suite.get("failures")) == ("tests.yaml", "3", "2")
    failed, passed, other = suite
    assert (failed.get("name"), failed.get("line")) == ("A number is redacted", "3")
    [failure] = failed
    assert failure.get("message") == (
        "action expected block, got redact; keep_numbers expected violated: code, got violated (number)"
    )
    assert failure.text is not None
    assert "not mentioned: be_short violated (wordy)" in failure.text.splitlines()
    assert (passed.get("name"), list(passed)) == ("a greeting", [])
    assert other.get("name") == "a <bell> & more"
    assert other[0].get("message") == "handed_over expected ding, got \\x07"


def test_junit_xml_that_cannot_be_written_is_misuse(specspan: Run) -> None:
    """The exit code tells it from a failing test."""
    ran = specspan("policy", "test", write_table(TESTS), "--junit-xml", "absent/results.xml")
    assert ran.code == 2
    assert "cannot write absent/results.xml" in ran.err
