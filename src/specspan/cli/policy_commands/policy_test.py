"""`specspan policy test`: conversations in a table, each decided and compared with what is expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from specspan.checks.texts import texts
from specspan.cli.junit import write_junit
from specspan.cli.options import import_modules, import_option
from specspan.cli.terminal import clean, console, print_json
from specspan.decision import Evidence, Finding
from specspan.policy_tests.case import Conversation, Table
from specspan.policy_tests.runner import Comparison, Result, never_violated, run_tests
from specspan.policy_tests.table import load_tests

CONTEXT_CHARS = 30
"""Characters that are shown on each side of the text that evidence points at."""
MAX_EXCERPT_CHARS = 80
"""Characters that are shown of the text that evidence points at."""
_MAX_PLACES = 4


@click.command("test")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("-k", "name_part", metavar="NAME", help="Only tests with this in their name, in either case.")
@click.option(
    "--junit-xml", "junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML here."
)
@import_option
def command(file: Path, as_json: bool, name_part: str | None, junit: Path | None, modules: tuple[str, ...]) -> None:
    """Hold the conversations in FILE under the policy it names, and compare what is decided with what is expected.

    Exit code 1 when a test fails, 2 when FILE or its policy is refused. It shows what was said: the texts are your own.
    """
    with import_modules(modules):
        table = load_tests(file)
        cases = [case for case in table.cases if name_part is None or name_part.casefold() in case.name.casefold()]
        if not cases:
            raise click.BadParameter(f"no test's name has {name_part!r} in it.", param_hint="-k")
        results = run_tests(table.policy, cases)
    if junit is not None:
        _write_junit(junit, table, results)
    if as_json:
        print_json(results_json(table, results))
    else:
        print_results(console(), table, results)
    if not all(result.passed for result in results):
        raise click.exceptions.Exit(1)


def _write_junit(path: Path, table: Table, results: Sequence[Result]) -> None:
    try:
        write_junit(path, table, results)
    except OSError as error:
        raise click.BadParameter(f"cannot write {path}: {error.strerror}.", param_hint="--junit-xml") from None


def print_results(out: Console, table: Table, results: Sequence[Result]) -> None:
    """Print a line for each test, the differences of each that failed, and the totals."""
    for result in results:
        out.print(_headline(table, result))
        if not result.passed:
            out.print(_comparison_table(result))
            out.line()
    failed = sum(not result.passed for result in results)
    out.print(Text(f"{len(results) - failed} passed, {failed} failed", "bold red" if failed else "bold green"))
    if len(results) == len(table.cases) and (untested := never_violated(table.policy, table.cases)):
        out.print(Text(f"No test has these clauses violated: {', '.join(map(clean, untested))}", "dim"))


def results_json(table: Table, results: Sequence[Result]) -> dict[str, Any]:
    """Return the results for a program."""
    policy = table.policy
    return {
        "tests": [_result_json(result) for result in results],
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "never_violated": never_violated(policy, table.cases),
        "source": table.source,
        "policy": {"source": policy.source, "digest": policy.digest, "mode": policy.mode},
    }


def _headline(table: Table, result: Result) -> Text:
    line = Text("✔ ", "green") if result.passed else Text("✘ ", "bold red")
    line.append(clean(result.case.name), "" if result.passed else "bold")
    return line if result.passed else line.append(f"  {clean(table.source)}:{result.case.line}", "dim")


def _comparison_table(result: Result) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for header in ("", "", "expected", "got"):
        grid.add_column(header, overflow="fold", no_wrap=not header)
    for each in result.comparisons:
        grid.add_row(_sign(each), clean(each.what), _expected_text(each), _decided_text(each, result.case.conversation))
    return grid


def _sign(each: Comparison) -> Text:
    if not each.mentioned:
        return Text("  ·", "dim")
    return Text("  ✔", "green") if each.agrees else Text("  ✘", "bold red")


def _expected_text(each: Comparison) -> Text:
    if not each.mentioned:
        return Text("not mentioned", "dim")
    return _value(each.expected, filter(None, [each.expected_reason]))


def _decided_text(each: Comparison, conversation: Conversation) -> Text:
    """Return the decided value and, where it was not expected, the findings it rests on."""
    got = _value(each.got, each.reasons)
    if each.agrees and each.mentioned:
        return got
    got.stylize("" if each.agrees else "bold red")
    for line in _finding_lines(each.findings, conversation):
        got.append("\n").append_text(line)
    return got


def _value(value: str | None, reasons: Iterable[str]) -> Text:
    if value is None:
        return Text("nothing", "italic dim")
    known = ", ".join(map(clean, reasons))
    return Text(f"{clean(value)}: {known}" if known else clean(value))


def _finding_lines(findings: Iterable[Finding], conversation: Conversation) -> Iterator[Text]:
    """Yield the check of each finding, its explanation, and the excerpts its evidence points at."""
    for finding in findings:
        if finding.check is not None:
            yield Text(clean(f"{finding.check.mechanism} {finding.check.name}, {finding.stage}"), "dim")
        if finding.explanation:
            yield Text(clean(finding.explanation), "dim")
        yield from _places(finding, conversation)


def _places(finding: Finding, conversation: Conversation) -> Iterator[Text]:
    for evidence in finding.evidence[:_MAX_PLACES]:
        before, match, after = excerpt(finding, evidence, conversation)
        place = Text(f"{evidence.pointer}: ", "cyan").append(before, "default")
        yield place.append(f"⟦{match}⟧", "bold default").append(after, "default")
    if (left_out := len(finding.evidence) - _MAX_PLACES) > 0:
        yield Text(f"and {left_out} more", "dim")


def excerpt(finding: Finding, evidence: Evidence, conversation: Conversation) -> tuple[str, str, str]:
    """Return the text that evidence points at, between some of the text before and after it."""
    by_pointer = {text.pointer: text.text for text in texts(conversation.call, finding.stage)}
    text = by_pointer.get(evidence.pointer, "")
    start, end = evidence.start, evidence.end
    before, match, after = text[:start], text[start:end], text[end:]
    return (
        clean(before if len(before) <= CONTEXT_CHARS else f"…{before[-CONTEXT_CHARS:]}"),
        clean(match if len(match) <= MAX_EXCERPT_CHARS else f"{match[:MAX_EXCERPT_CHARS]}…"),
        clean(after if len(after) <= CONTEXT_CHARS else f"{after[:CONTEXT_CHARS]}…"),
    )


def _result_json(result: Result) -> dict[str, Any]:
    conversation = result.case.conversation
    return {
        "name": result.case.name,
        "line": result.case.line,
        "passed": result.passed,
        "comparisons": [_comparison_json(each, conversation) for each in result.comparisons],
    }


def _comparison_json(each: Comparison, conversation: Conversation) -> dict[str, Any]:
    return {
        "what": each.what,
        "mentioned": each.mentioned,
        "agrees": each.agrees,
        "expected": each.expected,
        "expected_reason": each.expected_reason,
        "got": each.got,
        "reasons": each.reasons,
        "evidence": [
            {**asdict(evidence), "excerpt": "".join(excerpt(finding, evidence, conversation))}
            for finding in each.findings
            for evidence in finding.evidence
        ],
    }
