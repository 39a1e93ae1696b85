"""What a table of tests finds out: every conversation goes the way a real call goes."""

from __future__ import annotations

import pytest
from policy_tables import write_table

from specspan import check
from specspan.call import ModelCall, Text, ToolCallResponse
from specspan.policy_tests.runner import Comparison, Result, never_violated, run_tests
from specspan.policy_tests.table import load_tests


def results(tests: str, **more: str) -> list[Result]:
    table = load_tests(write_table(tests, **more))
    return run_tests(table.policy, table.cases)


def result(test: str, **more: str) -> Result:
    """What comes of one test, given without its name."""
    (found,) = results(f"  - name: a\n{test}", **more)
    return found


def differing(found: Result) -> dict[str, tuple[str | None, str | None]]:
    """What was expected and what came, where they differ."""
    return {each.what: (each.expected, each.got) for each in found.comparisons if not each.agrees}


@pytest.mark.parametrize(
    ("conversation", "handed_over"),
    [
        ("output: It is 1234.", "'It is [redacted:number].'"),
        ("output: Your password?", "null"),
        ("output: Hello.", "Hello."),
        ("input: Hello.", "''"),
        ("stream: ['It is 1', '234 or so.', ' Bye.']", "'It is 1[redacted:number]'"),
        ("stream: ['Your ', 'password?']", "'Your '"),
        ("stream: ['password']", "null"),
        ("stream: ['Hello ', 'there.']", "Hello there."),
        ("tool_calls: [{name: find}]", "''"),
    ],
)
def test_what_is_handed_over_is_what_an_application_gets(conversation: str, handed_over: str) -> None:
    """Answers are edited and blocked, streams are cut, as under instrumentation."""
    found = result(f"    {conversation}\n    expect: {{handed_over: {handed_over}}}\n")
    assert differing(found) == {}
    found = result(f"    {conversation}\n    expect: {{handed_over: something else}}\n")
    assert list(differing(found)) == ["handed_over"]


def test_what_is_sent_is_decided_first() -> None:
    """A blocked question never gets an answer: checks of the answer are unassessed."""
    policy = (
        "spec: desk.md\nmode: enforce\nclauses:\n"
        "  no_passwords: {action: block, checks: [{pattern: {stage: input, any: [secret]}}]}\n"
        "  be_short: {checks: [{pattern: {stage: output, any: [x]}}]}\n"
    )
    found = result(
        "    input: A secret.\n    output: x\n"
        "    expect: {action: block, handed_over: null, findings: {no_passwords: violated, be_short: unassessed}}\n",
        policy=policy,
    )
    assert found.passed


def test_in_observe_mode_nothing_is_changed() -> None:
    """The text goes through; ``would`` says what enforce mode would have done."""
    found = result(
        "    output: It is 1234.\n    expect: {action: flag, would: redact, handed_over: It is 1234.}\n",
        top="policy: policy.yaml\nmode: observe",
    )
    assert found.passed


def test_each_difference_is_told_with_its_findings() -> None:
    """Expected against got, by fact and by clause, with the findings that decided."""
    found = result("""\
    output: It is 1234.
    expect:
      verdict: complied
      action: redact
      governing_clause: null
      findings:
        keep_numbers: {outcome: violated, reason: typed_number}
        no_passwords: violated
        be_short: complied
        be_kind: complied
""")
    assert not found.passed
    assert differing(found) == {
        "verdict": ("complied", "violated"),
        "governing_clause": (None, "keep_numbers"),
        "keep_numbers": ("violated", "violated"),
        "no_passwords": ("violated", "complied"),
        "be_kind": ("complied", "unassessed"),
    }
    by_clause = {each.what: each for each in found.comparisons}
    numbers = by_clause["keep_numbers"]
    assert (numbers.expected_reason, numbers.reasons) == ("typed_number", ("number",))
    assert [(each.pointer, each.start, each.end) for f in numbers.findings for each in f.evidence] == [
        ("/output/0/parts/0", 6, 10)
    ]
    assert by_clause["be_kind"].findings == ()


def test_a_clause_of_several_checks_is_as_its_worst() -> None:
    """One check of two that finds something makes the clause violated, for its reason."""
    found = result(
        "    input: Mine is 1234.\n    output: I see.\n"
        "    expect: {findings: {keep_numbers: {outcome: violated, reason: typed_number}}}\n"
    )
    assert found.passed


def test_what_nobody_mentioned_is_shown_and_fails_nothing() -> None:
    """A clause that did not comply, though no expectation names it, is among the comparisons."""
    found = result("    output: It is 1234.\n    expect: {findings: {be_short: complied}}\n")
    assert found.passed
    (unmentioned,) = [each for each in found.comparisons if not each.mentioned]
    assert unmentioned == Comparison(
        "keep_numbers", None, "violated", agrees=True, mentioned=False, findings=unmentioned.findings
    )


@pytest.mark.parametrize(("day", "outcome"), [("2026-12-31", "overridden"), ("2027-01-01", "violated")])
def test_a_test_has_its_own_day(day: str, outcome: str) -> None:
    """An override that ends is in force on its last day and refused on the next, whatever day it is today."""
    found = result(f"""\
    output: one two three four five six seven eight nine ten
    date: {day}
    overrides: [{{clause: be_short, by: team, reason: asked for, until: 2026-12-31}}]
    expect: {{findings: {{be_short: {outcome}}}}}
""")
    assert found.passed


def test_a_day_and_an_override_hold_for_one_test_only() -> None:
    """What one test declares is gone in the next."""
    long = "output: one two three four five six seven eight nine ten"
    first, second, third = results(f"""\
  - name: a
    {long}
    date: 2027-01-01
    overrides: [{{clause: be_short, by: team, reason: asked for}}]
    expect: {{findings: {{be_short: overridden}}}}
  - name: b
    {long}
    expect: {{findings: {{be_short: violated}}}}
  - name: c
    {long}
    date: 2026-12-31
    overrides: [{{clause: be_short, by: team, reason: asked for, until: 2026-12-31}}]
    expect: {{findings: {{be_short: overridden}}}}
""")
    assert [first.passed, second.passed, third.passed] == [True] * 3


def test_a_check_for_a_share_of_the_calls_looks_at_all_of_them() -> None:
    """What a test finds is no matter of chance."""
    policy = "spec: desk.md\nclauses:\n  be_short: {checks: [{pattern: {any: [x], sample: 0.000001}}]}\n"
    tests = "".join(f"  - {{name: t{n}, output: x, expect: {{findings: {{be_short: violated}}}}}}\n" for n in range(20))
    assert [each.passed for each in results(tests, policy=policy)] == [True] * 20


@pytest.mark.parametrize(("amount", "outcome"), [(50, "complied"), (51, "violated")])
def test_a_test_may_declare_a_scope_of_autonomy(amount: int, outcome: str) -> None:
    """A scope in the context bounds the tool calls of its test."""
    found = result(
        f"""\
    tool_calls: [{{name: refund, arguments: {{amount: {amount}}}}}]
    context: {{scope: {{allowed_tools: [refund], limits: {{refund: {{amount: {{max: 50}}}}}}}}}}
    expect: {{findings: {{no_passwords: {outcome}}}}}
""",
        policy="spec: desk.md\nclauses:\n  no_passwords: {checks: [{scope: {}}]}\n",
    )
    assert found.passed


def test_checks_of_ones_own_meet_the_whole_call() -> None:
    """A function gets context, tool calls and edited messages as it gets them in the application."""
    seen: list[ModelCall] = []

    @check("table_seen", stage="output", version="1", timeout_s=None)
    def table_seen(call: ModelCall) -> bool:
        seen.append(call)
        return True

    policy = (
        "spec: desk.md\nmode: enforce\nclauses:\n"
        "  be_kind: {checks: [{code: table_seen}]}\n"
        "  keep_numbers: {action: redact, checks: [{pattern: {stage: input, any: ['1234'], reason: typed}}]}\n"
    )
    found = result(
        """\
    messages: [{role: tool, content: 'it is 1234', tool_call_id: c}]
    input: Is it 1234?
    output: Perhaps.
    tool_calls: [{name: find}]
    context: {user: u-1, vip: true}
    expect: {findings: {be_kind: complied}}
""",
        policy=policy,
    )
    assert found.passed
    (call,) = seen
    assert [part for message in call.input for part in message.parts] == [
        ToolCallResponse("it is [redacted:typed]", "c"),
        Text("Is it [redacted:typed]?"),
    ]
    assert (call.context.user, call.context.attributes) == ("u-1", {"vip": True})
    assert [wish.name for wish in call.tool_calls] == ["find"]


def test_clauses_that_no_test_has_violated_are_named() -> None:
    """A clause with a check counts as tried once a test expects it violated or governing."""
    table = load_tests(
        write_table("""\
  - {name: a, output: '1234', expect: {findings: {keep_numbers: violated, be_short: complied}}}
  - {name: b, output: password, expect: {governing_clause: no_passwords}}
""")
    )
    assert never_violated(table.policy, table.cases) == ["be_short"]
    assert never_violated(table.policy, table.cases[1:]) == ["keep_numbers", "be_short"]
