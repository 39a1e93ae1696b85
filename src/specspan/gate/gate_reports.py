"""Results of a gate as JSON, Markdown, SARIF and JUnit XML. Pure.

Sources: SARIF 2.1.0 (OASIS); https://github.com/testmoapp/junitxml, the form in common use.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from specspan.gate.gate_run import Checked, GateResult, failures
from specspan.policy_tests.runner import Result
from specspan.version import __version__

_SARIF = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES = {"requirement": "A requirement of the gate does not hold.", "policy_test": "A policy test fails."}
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|])")


def gate_json(result: GateResult) -> dict[str, Any]:
    """Return the result for a program."""
    return {
        "v": 1,
        "type": "gate",
        "source": result.gate.source,
        "passed": result.passed,
        "policy": {"source": result.policy.source, "digest": result.policy.digest},
        "datasets": [
            {"source": each.source, "digest": each.digest, "cases": len(each.cases)} for each in result.datasets
        ],
        "requirements": [_requirement_json(each) for each in result.checked],
        "failed_tests": [
            {"file": table.source, "line": each.case.line, "name": each.case.name}
            for table, results in result.tests
            for each in results
            if not each.passed
        ],
    }


def gate_markdown(result: GateResult) -> str:
    """Return a summary for a pull request."""
    failed = sum(not each.holds for each in result.checked)
    words = f"{failed} of {len(result.checked)} requirements do not hold" if failed else "every requirement holds"
    lines = [
        f"### {'❌' if failed else '✅'} Gate: {words}",
        "",
        f"Policy `{result.policy.source}` `{result.policy.digest[:19]}`",
        "",
        "| | requirement | measured | 95% interval | such as |",
        "|---|---|---|---|---|",
        *map(_markdown_row, result.checked),
    ]
    for each in result.datasets:
        lines += ["", f"Dataset `{each.source}`: {len(each.cases)} cases, `{each.digest[:19]}`."]
    failed_tests = [(table, each) for table, results in result.tests for each in results if not each.passed]
    if failed_tests:
        lines += ["", "Failed tests:", ""]
        lines += [f"- {_markdown(each.case.name)} (`{table.source}:{each.case.line}`)" for table, each in failed_tests]
    return "\n".join(lines) + "\n"


def gate_sarif(result: GateResult) -> dict[str, Any]:
    """Return what does not hold as a SARIF log, each at its line."""
    results = [
        _sarif_result("requirement", _message(each), result.gate.source, each.requirement.line)
        for each in failures(result)
    ]
    for table, tests in result.tests:
        results += [
            _sarif_result("policy_test", f"{each.case.name}: {_differences(each)}", table.source, each.case.line)
            for each in tests
            if not each.passed
        ]
    rules = [{"id": id_, "shortDescription": {"text": text}} for id_, text in _RULES.items()]
    driver = {"name": "specspan gate", "version": __version__, "rules": rules}
    return {"$schema": _SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}


def gate_junit(result: GateResult) -> bytes:
    """Return the result as JUnit XML: a suite of requirements, and one for each file of tests."""
    root = ET.Element("testsuites")
    suite = _suite(root, result.gate.source, len(result.checked), sum(not each.holds for each in result.checked))
    for each in result.checked:
        case = ET.SubElement(
            suite, "testcase", _place(result.gate.source, each.requirement.text, each.requirement.line)
        )
        if not each.holds:
            ET.SubElement(case, "failure", {"type": "AssertionError", "message": _xml(_message(each))})
    for table, results in result.tests:
        suite = _suite(root, table.source, len(results), sum(not each.passed for each in results))
        for test in results:
            case = ET.SubElement(suite, "testcase", _place(table.source, test.case.name, test.case.line))
            if not test.passed:
                ET.SubElement(case, "failure", {"type": "AssertionError", "message": _xml(_differences(test))})
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _requirement_json(each: Checked) -> dict[str, Any]:
    measure, interval = each.measure, each.measure.interval
    return {
        "requirement": each.requirement.text,
        "line": each.requirement.line,
        "holds": each.holds,
        "value": measure.end(each.requirement.end),
        "count": measure.count,
        "of": measure.of,
        "interval": None if interval is None else [interval.low, interval.high],
        "examples": list(measure.examples),
    }


def _message(each: Checked) -> str:
    such_as = f", such as {', '.join(each.measure.examples)}" if each.measure.examples else ""
    return f"{each.requirement.text}: {each.measure.words()}{such_as}"


def _differences(result: Result) -> str:
    wrong = [each for each in result.comparisons if not each.agrees]
    return "; ".join(
        f"{each.what} expected {each.expected or 'nothing'}, got {each.got or 'nothing'}" for each in wrong
    )


def _markdown_row(each: Checked) -> str:
    interval = each.measure.interval
    ends = "" if interval is None else f"{100 * interval.low:.4g}% – {100 * interval.high:.4g}%"
    such_as = " ".join(f"`{name}`" for name in each.measure.examples[:3]) if not each.holds else ""
    cells = ("✅" if each.holds else "❌", f"`{each.requirement.text}`", each.measure.words(), ends, such_as)
    return f"| {' | '.join(cells)} |"


def _markdown(text: str) -> str:
    return _IN_MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _sarif_result(rule: str, message: str, source: str, line: int | None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": source}}
    if line is not None:
        place["region"] = {"startLine": line}
    location = {"physicalLocation": place}
    return {"ruleId": rule, "level": "error", "message": {"text": message}, "locations": [location]}


def _suite(root: ET.Element, name: str, tests: int, failed: int) -> ET.Element:
    counts = {"tests": str(tests), "failures": str(failed), "errors": "0", "skipped": "0"}
    return ET.SubElement(root, "testsuite", {"name": _xml(name), **counts})


def _place(source: str, name: str, line: int | None) -> dict[str, str]:
    place = {"classname": _xml(source), "name": _xml(name), "file": _xml(source)}
    return place if line is None else place | {"line": str(line)}


def _xml(text: str) -> str:
    """Return a text in which each character that XML cannot hold is written as its escape."""
    return _NOT_IN_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
