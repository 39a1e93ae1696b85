"""Condition over a call, written in CEL."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

import re2

from specspan.call import ModelCall
from specspan.checks.check import CheckConfigError
from specspan.checks.conditions.cost import TooCostly, check_cost, walk
from specspan.checks.conditions.protocol_buffers import pool_with, read_checked, require_cel
from specspan.checks.conditions.variables import PACKAGE, TYPES, VARIABLES, UnreadableValue, Values
from specspan.checks.conversations.turns import MAX_ITEMS

MAX_CHARS = 10_000
"""Length of the longest expression that is taken."""

_PLACE = re.compile(r"<input>:(\d+):(\d+): (.+)")
_REASONS = (
    ("NOT_FOUND", "condition_no_such_key"),
    ("UNKNOWN: No matching overload", "condition_wrong_type"),
    ("INVALID_ARGUMENT: divide", "condition_divided_by_zero"),
    ("INTERNAL: Iteration budget", "condition_too_long"),
)


class ConditionFailed(Exception):
    """Condition that has no value for a call."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """Low-cardinality code."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Expression that was checked when it was loaded: its names, its types and its cost."""

    source: str
    reads: frozenset[str]
    """Variables that it looks at."""
    _expression: Any

    def evaluate(self, values: Values) -> bool:
        """Return the value for a call.

        Raises:
            ConditionFailed: it has none.
        """
        try:
            result = self._expression.eval(data={name: values.of(name) for name in self.reads})
            value = result.value()
        except UnreadableValue:
            raise ConditionFailed("condition_unreadable_value") from None
        except RuntimeError as error:  # what CEL raises of its own
            raise ConditionFailed(_reason(str(error))) from None
        if value is True or value is False:
            return bool(value)
        raise ConditionFailed(_reason(str(value)))


def compile_condition(source: str, key: str | None = None) -> Condition:
    """Return the condition that ``source`` writes down.

    Args:
        source: an expression in CEL, over the variables of `specspan.checks.conditions.variables`.
        key: where it stands in the configuration, for messages.

    Raises:
        CheckConfigError: it names what is not declared, has a wrong type, or could be slow.
    """
    if len(source) > MAX_CHARS:
        raise CheckConfigError(f"a condition of {len(source):,} characters", f"Keep to {MAX_CHARS:,}.", key)
    typed, untyped = _environments()
    try:
        checked = typed.compile(source)
        evaluated = untyped.compile(source)  # the same expression, which takes JSON as it is for any type
    except RuntimeError as error:
        raise CheckConfigError(f"invalid condition: {_sentence(str(error))}", _names(), key) from None
    if (found := checked.return_type().name()).lower() != "bool":
        raise CheckConfigError(f"a condition of type {found.lower()}", "Write one that is true or false.", key)
    tree = read_checked(checked.serialize())
    try:
        check_cost(tree)
    except TooCostly as error:
        raise CheckConfigError(f"a condition that could be slow: {error}", "Write it with fewer rounds.", key) from None
    _check_patterns(tree.expr, key)
    names = {node.ident.name.lstrip(".") for node in walk(tree.expr) if node.HasField("ident")}
    return Condition(source, frozenset(names & set(VARIABLES)), evaluated)


def values_of(call: ModelCall) -> Values:
    """Return the values of the variables for ``call``."""
    return Values(call)


@functools.cache
def _environments() -> tuple[Any, Any]:
    cel = require_cel()
    pool = pool_with(PACKAGE, TYPES)
    typed = {name: _type(cel, declared) for name, declared in VARIABLES.items()}
    return (
        cel.NewEnv(descriptor_pool=pool, variables=typed),
        cel.NewEnv(variables=dict.fromkeys(VARIABLES, cel.Type.DYN)),
    )


def _type(cel: Any, declared: str) -> Any:
    of_one = cel.Type(f"{PACKAGE}.{declared.rstrip('*')}")
    return cel.Type.List(of_one) if declared.endswith("*") else of_one


def _check_patterns(tree: Any, key: str | None) -> None:
    """Refuse patterns that are not written out: they are checked here, once, and not for each call."""
    options = re2.Options()
    options.log_errors = False
    for node in walk(tree):
        if node.HasField("call") and node.call.function == "matches":
            pattern = node.call.args[-1]
            if not pattern.HasField("constant"):
                raise CheckConfigError("a condition with a pattern that is computed", "Write the pattern out.", key)
            try:
                re2.compile(pattern.constant.text, options)
            except re2.error:
                remedy = "Write it in RE2's syntax."
                raise CheckConfigError(f"invalid pattern {pattern.constant.text!r}", remedy, key) from None


def _sentence(message: str) -> str:
    match = _PLACE.search(message)
    if match is None:
        return message.split("[", maxsplit=1)[0].strip()[:200]
    line, column, problem = match.groups()
    where = f"column {column}" if line == "1" else f"line {line}, column {column}"
    return f"{problem.split(' (in container')[0].replace(f'{PACKAGE}.', '')}, at {where}"


def _names() -> str:
    fields = "; ".join(
        f"{name} ({', '.join(TYPES[declared.rstrip('*')])}{', of each' if declared.endswith('*') else ''})"
        for name, declared in VARIABLES.items()
    )
    return f"The variables are {fields}. Of a list, the newest {MAX_ITEMS} are there."


def _reason(message: str) -> str:
    return next((reason for start, reason in _REASONS if message.startswith(start)), "condition_failed")
