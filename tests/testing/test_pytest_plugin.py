"""The plug-in of pytest: its fixture and marker, what failing assertions say, and what others' suites feel."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
SPEC = """# Manners {#manners}

## Be kind {#be_kind authority=user}

Say nothing rude.

## Be brief {#be_brief authority=user}

Say little.
"""
POLICY = """
spec: manners.md
clauses:
  be_kind:
    action: block
    checks:
      - pattern: {stage: output, any: ['shut up'], reason: rude}
"""
PARROT = """
import pytest, specspan

@specspan.observe(model="parrot-1")
def parrot(text):
    return text
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Return a suite that finds the plug-in as an installed one is found: by its entry point."""
    installed = pytester.mkdir("installed")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    [entry_points] = re.findall(r"^\[project\.entry-points\.pytest11\]\n(.*?)\n\n", project, re.DOTALL | re.MULTILINE)
    (information := installed / "suite_plugin-1.dist-info").mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: suite-plugin\nVersion: 1\n")
    (information / "entry_points.txt").write_text("[pytest11]\n" + entry_points.replace('"', ""))
    monkeypatch.setenv("PYTHONPATH", ":".join([str(installed), *(each for each in sys.path if each)]))
    pytester.makefile(".md", manners=SPEC)
    pytester.makefile(".yaml", policy=POLICY)
    others = "no:randomly", "no:cacheprovider", "no:logfire", "no:pytest_logfire", "no:langsmith_plugin"
    options = " ".join(f"-p {each}" for each in others)
    pytester.makefile(".ini", pytest=f"[pytest]\naddopts = --strict-markers {options}\n")
    return pytester


def run(suite: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    suite.makepyfile(test_parrot=PARROT + test)
    return suite.runpytest_subprocess(*arguments)


def test_what_a_marked_test_calls_is_decided(suite: pytest.Pytester) -> None:
    """The marker names the policy, the fixture has what was recorded, and assertions about it hold."""
    result = run(
        suite,
        """
@pytest.mark.specspan(policy="policy.yaml")
def test_kind(specspan_recorded):
    parrot("good morning")
    specspan_recorded.assert_complied("be_kind")
    specspan_recorded.assert_not_violated()
    specspan_recorded.assert_outcome("be_brief", "unassessed")
    assert len(specspan_recorded.decisions) == len(specspan_recorded.spans) == 1

@pytest.mark.specspan("policy.yaml", mode="enforce")
def test_rude(specspan_recorded):
    with pytest.raises(specspan.Blocked):
        parrot("shut up")
    specspan_recorded.assert_violated("be_kind", reason="rude")
    specspan_recorded.assert_blocked("be_kind")

@pytest.mark.specspan("policy.yaml", mode="enforce")
def test_marked_without_the_fixture():
    with pytest.raises(specspan.Blocked):
        parrot("shut up")

def test_unmarked(specspan_recorded):
    parrot("shut up")
    assert specspan_recorded.decisions == ()
    assert len(specspan_recorded.spans) == 1

def test_without_any():
    parrot("shut up")
""",
    )
    result.assert_outcomes(passed=5)


def test_the_policy_may_be_the_suites(suite: pytest.Pytester) -> None:
    """A setting names the policy for all tests; it is found from the root folder, also below another folder."""
    (suite.path / "deeper").mkdir()
    (suite.path / "deeper" / "test_deeper.py").write_text(
        PARROT
        + """
def test_kind(specspan_recorded):
    parrot("good morning")
    specspan_recorded.assert_complied("be_kind")
"""
    )
    suite.runpytest_subprocess("-o", "specspan_policy=policy.yaml", "deeper").assert_outcomes(passed=1)


FAILING = {
    "assert_complied('be_kind')": "'be_kind' did not comply: violated",
    "assert_complied('be_brief')": "no check looked at 'be_brief': the policy binds no check to it",
    "assert_violated('be_kind', reason='loud')": "'be_kind' was violated, but not for reason 'loud': rude",
    "assert_violated('be_brief')": "'be_brief' was not violated: the policy binds no check to it",
    "assert_not_violated()": "violated: 'be_kind'",
    "assert_not_violated('be_brief', 'be_kind')": "violated: 'be_kind'",
    "assert_outcome('be_kind', 'uncertain')": "'be_kind' was never uncertain: complied, violated",
    "assert_blocked()": "no call was blocked",
    "assert_complied('be_knid')": "*unknown clause 'be_knid'*Did you mean 'be_kind'?*",
}
EXPLANATION = [
    "E *decision 1 of 2: chat parrot-1",
    "E *verdict complied, action allow, mode observe",
    "E *complied: be_kind",
    "E *decision 2 of 2: chat parrot-1",
    "E *verdict violated, action flag (would block in enforce mode), mode observe, governed by 'be_kind' (rude)",
    "E *violated 'be_kind' (user) by pattern *, output: rude",
    "E */output/0/parts/0[[]4:11[]] 'shut up'",
]


def test_a_failing_assertion_says_what_was_decided(suite: pytest.Pytester) -> None:
    """The message has every decision: the clauses, their checks, and the text that the evidence points at."""
    tests = "".join(
        f"""
@pytest.mark.specspan("policy.yaml")
def test_{number}(specspan_recorded):
    parrot("good morning")
    parrot("oh, shut up")
    specspan_recorded.{assertion}
"""
        for number, assertion in enumerate(FAILING)
    )
    result = run(suite, tests)
    result.assert_outcomes(failed=len(FAILING))
    for message in FAILING.values():
        result.stdout.fnmatch_lines([f"E  *Error: {message}"])
    result.stdout.fnmatch_lines(EXPLANATION)
    result.stdout.no_fnmatch_line("*assertions.py*Assertion*")  # the traceback ends in the test


def test_an_assertion_without_calls_or_policy_says_so(suite: pytest.Pytester) -> None:
    """Nothing was called, or nothing could be decided: two mistakes that a green test would hide."""
    result = run(
        suite,
        """
@pytest.mark.specspan("policy.yaml")
def test_no_call(specspan_recorded):
    specspan_recorded.assert_complied("be_kind")

def test_no_policy(specspan_recorded):
    specspan_recorded.assert_not_violated()
""",
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*no check looked at 'be_kind'", "*Nothing was decided: no model call was made*"])
    result.stdout.fnmatch_lines(["*nothing is decided without a policy*"])


def test_an_invalid_marker_is_refused(suite: pytest.Pytester) -> None:
    """A misspelt argument is told, and no test runs without the policy that it was meant to have."""
    mistakes = "'a', 'b'", "polcy='policy.yaml'", "'policy.yaml', policy='policy.yaml'"
    tests = (
        f"@pytest.mark.specspan({arguments})\ndef test_{number}():\n    pass\n"
        for number, arguments in enumerate(mistakes)
    )
    result = run(suite, "\n".join(tests))
    result.assert_outcomes(errors=len(mistakes))
    told = "*invalid marker specspan: it takes a policy, and mode, environment, clock by name*"
    result.stdout.fnmatch_lines([told] * len(mistakes))


def test_a_suite_that_does_not_use_it_imports_nothing(suite: pytest.Pytester) -> None:
    """Neither specspan nor OpenTelemetry is imported in the suite of somebody who only has it installed."""
    suite.makepyfile(
        test_other="""
import re
import sys

def test_nothing_is_imported(request):
    assert request.config.pluginmanager.has_plugin("specspan")
    heavy = ("specspan", "opentelemetry", "wrapt", "pydantic", "re2")
    assert [name for name in sys.modules if name.split(".")[0] in heavy] == []
    assert "specspan_recorded" not in request.fixturenames
"""
    )
    suite.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_page_shows_a_suite_that_passes(suite: pytest.Pytester) -> None:
    """The example of the documentation runs as it stands there."""
    page = (ROOT / "docs" / "pytest.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    suite.makepyfile(test_example=example)
    suite.runpytest_subprocess().assert_outcomes(passed=2)
