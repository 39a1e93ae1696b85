"""What a file of policy tests says, and how one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy_tables import POLICY, write_table

from specspan.call import CallContext, Message, Text, ToolCall, ToolCallResponse
from specspan.decision import Mode, Outcome
from specspan.errors import ConfigurationError, PolicyError
from specspan.policy_tests.case import ExpectedFinding
from specspan.policy_tests.table import load_tests
from specspan.scope.scope import ScopeOfAutonomy


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_tests(path)
    return str(refused.value)


def test_a_conversation_is_a_model_call() -> None:
    """Messages, what the user says last, the answer and its tool calls stand where a provider's would."""
    path = write_table("""\
  - name: all of it
    messages:
      - {role: system, content: Be kind.}
      - {role: assistant, content: Let me look., tool_calls: [{name: find, arguments: {id: 7}, id: c-1}]}
      - {role: tool, content: '{"found": true}', tool_call_id: c-1}
    input: And?
    output: Found it.
    tool_calls: [{name: send}]
    context: {conversation: c-9, user: u-7, scope: {allowed_tools: [find]}, under_18: true}
    model: m-1
    provider: openai
    expect: {verdict: complied}
""")
    (case,) = load_tests(path).cases
    call = case.conversation.call
    assert call.input == (
        Message("system", (Text("Be kind."),)),
        Message("assistant", (Text("Let me look."), ToolCall("find", {"id": 7}, "c-1"))),
        Message("tool", (ToolCallResponse('{"found": true}', "c-1"),)),
        Message("user", (Text("And?"),)),
    )
    assert call.output == (Message("assistant", (Text("Found it."), ToolCall("send", {}))),)
    assert call.context == CallContext("c-9", "u-7", ScopeOfAutonomy(("find",)), {"under_18": True})
    assert (call.request.provider, call.request.model, call.request.streaming) == ("openai", "m-1", False)
    assert case.line == 3


@pytest.mark.parametrize(
    ("written", "chunks"),
    [
        ("['It is ', 'fine.']", ("It is ", "fine.")),
        ("It is  fine.", ("It ", "is  ", "fine.")),
    ],
)
def test_a_stream_comes_in_chunks(written: str, chunks: tuple[str, ...]) -> None:
    """A list of chunks comes as it is written; a text alone comes word by word."""
    (case,) = load_tests(write_table(f"  - {{name: a, stream: {written}, expect: {{verdict: complied}}}}\n")).cases
    assert case.conversation.answer == chunks
    assert case.conversation.request.streaming


def test_only_what_is_written_is_expected() -> None:
    """A null is an expectation; a key that is absent is none."""
    (case,) = load_tests(
        write_table("""\
  - name: a
    output: Hello.
    expect:
      governing_clause: null
      handed_over: null
      findings: {be_short: complied, keep_numbers: {outcome: violated, reason: number}}
""")
    ).cases
    assert case.expected.facts == {"governing_clause": None, "handed_over": None}
    assert case.expected.findings == {
        "be_short": ExpectedFinding(Outcome.COMPLIED),
        "keep_numbers": ExpectedFinding(Outcome.VIOLATED, "number"),
    }


def test_the_table_may_set_the_mode() -> None:
    """``mode`` stands in place of the policy's own."""
    tests = "  - {name: a, output: x, expect: {verdict: complied}}\n"
    assert load_tests(write_table(tests)).policy.mode is Mode.ENFORCE
    assert load_tests(write_table(tests, top="policy: policy.yaml\nmode: observe")).policy.mode is Mode.OBSERVE


def test_the_table_names_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a table tests does not depend on where it is run: its own ``environment`` counts, not the variable's."""
    monkeypatch.setenv("SPECSPAN_ENV", "production")
    tests = "  - {name: a, output: x, expect: {verdict: complied}}\n"
    policy = f"{POLICY}environments: {{production: {{mode: observe}}}}\n"
    assert load_tests(write_table(tests, policy=policy)).policy.environment is None
    top = "policy: policy.yaml\nenvironment: production"
    found = load_tests(write_table(tests, policy=policy, top=top)).policy
    assert (found.environment, found.mode) == ("production", Mode.OBSERVE)


def test_clauses_of_several_specs_have_their_full_names() -> None:
    """A full name means the clause that findings call by its id alone, where no other spec has that id."""
    expect = "{governing_clause: 'desk:keep_numbers', findings: {'bank:lend': violated}}"
    policy = POLICY.replace("spec: desk.md", "specs: [desk.md, bank.md]\norder: [[owner, must], team, person]")
    Path("bank.md").write_text("---\nid: bank\nladder: [must]\n---\n# Bank {#bank}\n\n## Lend {#lend authority=must}\n")
    tests = f"  - {{name: a, output: '1234', expect: {expect}}}\n"
    (case,) = load_tests(write_table(tests, policy=policy)).cases
    assert case.expected.facts == {"governing_clause": "keep_numbers"}
    assert list(case.expected.findings) == ["lend"]


def test_the_policy_is_found_beside_the_tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its path is seen from the file of tests, wherever the command is run."""
    write_table("  - {name: a, output: x, expect: {verdict: complied}}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load_tests(tmp_path / "tests.yaml").policy.spec.id == "desk"


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        ("  - {name: a, output: x}\n", "tests.yaml:3: tests[0].expect: 'expect' is missing."),
        ("  - {name: a, output: x, expect: {}}\n", "nothing is expected, so this test cannot fail. Add"),
        ("  - {name: a, output: x, expect: {findings: {}}}\n", "nothing is expected"),
        (
            "  - {name: a, expect: {verdict: complied}}\n",
            "the test has no conversation. Add 'input: …' or 'output: …'.",
        ),
        ("  - {name: a, output: x, stream: y, expect: {verdict: complied}}\n", "'output' and 'stream' are both given"),
        (
            "  - {name: a, output: x, expect: {verdict: null}}\n",
            "tests[0].expect.verdict: unknown value nothing, not one of complied",
        ),
        ("  - {name: a, output: x, expect: {action: blok}}\n", "Did you mean 'block'?"),
        ("  - {name: a, output: x, expect: {finding: {}}}\n", "unknown key 'finding'. Did you mean 'findings'?"),
        (
            "  - {name: a, output: x, expect: {findings: {be_short: fine}}}\n",
            "unknown value 'fine', not one of complied, violated",
        ),
        ("  - {name: a, output: x, expect: {findings: {be_shor: complied}}}\n", "Did you mean 'be_short'?"),
        ("  - {name: a, output: x, expect: {governing_clause: nobody}}\n", "desk has no clause 'nobody'"),
        ("  - {name: a, output: x, expect: {governing_clause: desk}}\n", "carries no level, so it binds nobody"),
        ("  - {name: a, output: x, context: {age: [1]}, expect: {verdict: complied}}\n", "a list is not a plain value"),
        (
            "  - {name: a, output: x, context: {scope: {limits: {t: {a: {one_of: [[1]]}}}}}, expect: {action: flag}}\n",
            "tests[0].context.scope: invalid scope: ",
        ),
        ("  - {name: a, output: x, date: soon, expect: {verdict: complied}}\n", "'soon' is not a date. Write it as"),
        (
            "  - {name: a, messages: [{role: bot}], expect: {verdict: complied}}\n",
            "unknown value 'bot', not one of system, developer",
        ),
        ("  - {name: a, output: x, expect: {verdict: complied}}\n" * 2, "first on line 3. Give each test a name"),
        ("  []\n", "tests"),
        ("  - {name: a, output: x, expect: {verdict: complied}, name: b}\n", "'name' stands here a second time"),
    ],
)
def test_a_broken_table_is_refused(tests: str, said: str) -> None:
    """What is wrong is named with its line, its key and what to do."""
    told = refusal(write_table(tests))
    assert said in told
    assert told.startswith("tests.yaml:")


@pytest.mark.parametrize(("text", "said"), [("", "the top is not a mapping"), ("- a", "the top is not a mapping")])
def test_a_file_that_is_no_table_is_refused(text: str, said: str) -> None:
    """An empty file and a list say where to start."""
    path = write_table("")
    path.write_text(text)
    assert said in refusal(path)


def test_a_file_that_is_absent_is_refused() -> None:
    """A path that leads nowhere is named."""
    assert refusal(Path("absent.yaml")) == "absent.yaml: no such file. Check the path."


def test_a_refused_policy_refuses_the_tests() -> None:
    """No test is run under a policy that cannot be loaded; the error is the policy's own."""
    path = write_table("  - {name: a, output: x, expect: {verdict: complied}}\n", policy="spec: desk.md\nmoed: enforce")
    with pytest.raises(PolicyError, match=r"policy\.yaml:2: moed"):
        load_tests(path)
