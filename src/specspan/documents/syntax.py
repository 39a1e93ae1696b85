"""What to do about YAML that cannot be parsed, in the words of somebody who writes one."""

from __future__ import annotations

import yaml

from specspan.errors import Problem

_REMEDIES = (
    ("escape character", "Put patterns in single quotes: there a backslash stands for itself."),
    ("mapping values are not allowed", "Put text that holds ': ' in quotes, or mend the indentation."),
    ("could not find expected ':'", "End the key with ':', or mend the indentation of the lines above."),
    ("did not find expected ',' or", "Close it, or put text with brackets, braces or commas in quotes."),
    ("unexpected end of stream", "Close the quotation mark."),
    ("cannot start any token", "Put text that starts with such a character in quotes."),
    ("did not find expected key", "Mend the indentation: the keys of one mapping start in one column."),
    ("block end", "Mend the indentation: the keys of one mapping start in one column."),
    ("'-' indicator", "Mend the indentation: the items of one list start in one column."),
)
_TAB = "Indent with spaces: YAML allows no tab there."
_OTHERWISE = "Mend the YAML there."


def syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """The problem that the parser met; one met only at the end of the file is shown where it started."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem("is no YAML", _OTHERWISE)
    lines = text.splitlines() or [""]
    mark, message = error.problem_mark, error.problem or "is no YAML"
    at_tab = mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"
    if mark.line >= len(lines) and error.context_mark is not None:
        mark = error.context_mark
    if error.context:
        message = f"{message} {error.context}"
    return Problem(message, _TAB if at_tab else _remedy(message), min(mark.line + 1, len(lines)))


def _remedy(message: str) -> str:
    return next((remedy for fragment, remedy in _REMEDIES if fragment in message), _OTHERWISE)
