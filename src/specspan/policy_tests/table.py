"""Loading of a file of tests: cases that can be run, or every problem named."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from specspan._support.files import read_text_file
from specspan._support.messages import Problems
from specspan.call import CallContext, Message, Part, Request, Text, ToolCall, ToolCallResponse
from specspan.documents.node import Limits, Node, PathTo, key_of
from specspan.documents.validation import validate
from specspan.documents.yaml import read_yaml
from specspan.errors import ConfigurationError, Problem
from specspan.policy.authority import Authority
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.policy.spec_problems import clause_problem
from specspan.policy_tests.case import Case, Conversation, Expected, ExpectedFinding, Table
from specspan.policy_tests.table_schema import (
    CaseEntry,
    ContextEntry,
    ExpectEntry,
    MessageEntry,
    TestsFile,
    ToolCallEntry,
)

MAX_BYTES = 4 << 20
LIMITS = Limits(max_weight=16_000_000)
_FACTS = ("verdict", "action", "would", "governing_clause", "reason", "handed_over")


def load_tests(path: str | os.PathLike[str]) -> Table:
    """Load a file of tests and the policy it names.

    Raises:
        PolicyError: the policy is refused.
        ConfigurationError: the file is refused; every problem is named with line, key and remedy.
    """
    text = read_text_file(path, what="table of tests", max_bytes=MAX_BYTES, error=ConfigurationError)
    problems = Problems(text.source, ConfigurationError)
    root = read_yaml(text.source, text.text, error=ConfigurationError, limits=LIMITS)
    if root is None or not isinstance(root.value, dict):
        line = None if root is None else root.line
        raise problems.error(Problem("the top is not a mapping", "Start with 'policy:' and 'tests:'.", line))
    file = validate(TestsFile, root, problems)
    if file is None:
        raise problems.error()
    policy = load_policy(Path(text.source).parent / file.policy, environment=file.environment)
    _check_names(file.tests, root, policy, problems)
    problems.raise_if_any()
    return Table(
        source=text.source,
        policy=policy if file.mode is None else replace(policy, mode=file.mode),
        cases=tuple(
            _build_case(entry, root.at(("tests", index)).line, policy.authority)
            for index, entry in enumerate(file.tests)
        ),
    )


def _check_names(tests: Sequence[CaseEntry], root: Node, policy: Policy, problems: Problems) -> None:
    """Report duplicate names of tests, and clauses that the policy's specs lack."""
    lines: dict[str, int] = {}
    for index, test in enumerate(tests):
        line = root.at(("tests", index)).line
        if (first := lines.setdefault(test.name, line)) != line:
            message = f"duplicate name {test.name!r}, first on line {first}"
            problems.add(Problem(message, "Give each test a name of its own.", line, key_of(("tests", index, "name"))))
        for path, clause in _clauses_in(test.expect):
            if problem := clause_problem(policy.authority, clause):
                whole: PathTo = ("tests", index, "expect", *path)
                problems.add(Problem(*problem, root.at(whole).line, key_of(whole)))


def _clauses_in(expect: ExpectEntry) -> Iterable[tuple[tuple[str, ...], str]]:
    """Yield the path and the name of each clause that is mentioned."""
    yield from ((("findings", clause), clause) for clause in expect.findings)
    if expect.governing_clause is not None:
        yield ("governing_clause",), expect.governing_clause


def _build_case(entry: CaseEntry, line: int, authority: Authority) -> Case:
    answer = entry.stream if entry.stream is not None else filter(None, [entry.output])
    conversation = Conversation(
        request=_build_request(entry),
        answer=(*answer, *map(_build_tool_call, entry.tool_calls)),
        context=_build_context(entry.context),
        overrides=tuple(each.override for each in entry.overrides),
        date=entry.date,
    )
    return Case(entry.name, line, conversation, _build_expected(entry.expect, authority))


def _build_request(entry: CaseEntry) -> Request:
    last = () if entry.input is None else (Message("user", (Text(entry.input),)),)
    return Request(
        entry.provider,
        entry.operation,
        entry.model,
        input=(*map(_build_message, entry.messages), *last),
        streaming=entry.stream is not None,
    )


def _build_message(entry: MessageEntry) -> Message:
    parts: tuple[Part, ...] = (Text(entry.content),) if entry.content else ()
    if entry.role == "tool":
        parts = (ToolCallResponse(entry.content, entry.tool_call_id),)
    return Message(entry.role, (*parts, *map(_build_tool_call, entry.tool_calls)))


def _build_tool_call(entry: ToolCallEntry) -> ToolCall:
    return ToolCall(entry.name, entry.arguments, entry.id)


def _build_context(entry: ContextEntry) -> CallContext:
    scope = None if entry.scope is None else entry.scope.scope
    return CallContext(entry.conversation, entry.user, scope, entry.model_extra or {})


def _build_expected(entry: ExpectEntry, authority: Authority) -> Expected:
    """Return the expected decision, with clauses under the names that findings have for them."""
    facts = {name: getattr(entry, name) for name in _FACTS if name in entry.model_fields_set}
    if entry.governing_clause is not None:
        facts["governing_clause"] = authority.find_clauses(entry.governing_clause)[0]
    return Expected(
        facts=facts,
        findings={
            authority.find_clauses(clause)[0]: ExpectedFinding(each.outcome, each.reason)
            for clause, each in entry.findings.items()
        },
    )
