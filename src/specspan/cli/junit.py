"""JUnit XML of the results of `specspan policy test`, as continuous integration reads it.

Source: https://github.com/testmoapp/junitxml, the form in common use.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from specspan.policy_tests.case import Table
from specspan.policy_tests.runner import Comparison, Result

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(path: Path, table: Table, results: Sequence[Result]) -> None:
    """Write the results to a file.

    Raises:
        OSError: the file cannot be written.
    """
    failures = str(sum(not result.passed for result in results))
    counts = {"tests": str(len(results)), "failures": failures, "errors": "0", "skipped": "0"}
    suites = ET.Element("testsuites", counts)
    suite = ET.SubElement(suites, "testsuite", {"name": _xml_text(table.source), **counts})
    for result in results:
        _add_case(suite, table, result)
    ET.indent(suites)
    path.write_bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True) + b"\n")


def _add_case(suite: ET.Element, table: Table, result: Result) -> None:
    source, name = _xml_text(table.source), _xml_text(result.case.name)
    place = {"classname": source, "name": name, "file": source, "line": str(result.case.line)}
    case = ET.SubElement(suite, "testcase", place)
    if result.passed:
        return
    wrong = [each for each in result.comparisons if not each.agrees]
    message = "; ".join(_difference(each) for each in wrong)
    failure = ET.SubElement(case, "failure", {"type": "AssertionError", "message": _xml_text(message)})
    failure.text = _xml_text("\n".join(_line(each) for each in result.comparisons))


def _line(each: Comparison) -> str:
    if not each.mentioned:
        return f"not mentioned: {each.what} {each.got}{_reasons(each)}"
    return f"{'as expected' if each.agrees else 'differs'}: {_difference(each)}"


def _difference(each: Comparison) -> str:
    expected = "nothing" if each.expected is None else each.expected
    expected += f": {each.expected_reason}" if each.expected_reason else ""
    return f"{each.what} expected {expected}, got {'nothing' if each.got is None else each.got}{_reasons(each)}"


def _reasons(each: Comparison) -> str:
    return f" ({', '.join(each.reasons)})" if each.reasons else ""


def _xml_text(text: str) -> str:
    """Return a text in which each character that XML cannot hold is written as its escape."""
    return _NOT_IN_XML.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)
