"""Parser of patterns, built on the parser of Python's `re`.

No other module uses the private parts of `re`. A pattern that `re` accepts and RE2 cannot run is refused here.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import Any

from specspan.checks.regex import charset
from specspan.checks.regex.charset import CharSet
from specspan.checks.regex.syntax_tree import (
    At,
    Chars,
    Choice,
    Concatenation,
    Node,
    Place,
    Repeat,
    children,
    depth,
    min_width,
)

if sys.version_info >= (3, 11):
    from re import _constants, _parser  # type: ignore[attr-defined]
else:
    import sre_constants as _constants
    import sre_parse as _parser

MAX_REPEAT = 1000
"""Largest count in a repeat that RE2 takes."""

MAX_DEPTH = 50
"""Largest depth of a tree: deeper than patterns are, and shallow enough to walk without running out of stack."""

_TYPE_FLAGS = re.ASCII | re.UNICODE | re.LOCALE


class PatternError(ValueError):
    """Pattern that is invalid, or that cannot run in linear time."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def parse(source: str) -> Node:
    """Return the syntax tree of ``source``.

    Raises:
        PatternError: ``source`` is not a regular expression, or needs backtracking.
    """
    try:
        parsed = _parser.parse(source, 0)
        node = _sequence(parsed, parsed.state.flags)
        if depth(node) > MAX_DEPTH:
            raise _too_deep()
    except re.error as error:
        raise PatternError(f"it is not a regular expression: {error}", "Write it as Python's `re` takes it.") from None
    except OverflowError as error:
        raise PatternError(f"it is too large to be read ({error})", "Split it into several patterns.") from None
    except RecursionError:
        raise _too_deep() from None
    _refuse_after_end(node, last=True)
    _refuse_empty_rounds(node)
    return node


def _too_deep() -> PatternError:
    return PatternError(f"its groups and repeats are nested more than {MAX_DEPTH} deep", "Nest fewer.")


def _refuse_after_end(node: Node, *, last: bool) -> None:
    """Refuse a `$` before other nodes: `$` tests for a last newline without consuming it, which RE2 cannot do there."""
    match node:
        case At(Place.END_OR_LAST_NEWLINE) if not last:
            raise PatternError(
                "something can follow its `$`", r"Write \Z for the end of the text, or (?m) and $ for that of a line."
            )
        case Concatenation(items):
            for item in items[:-1]:
                _refuse_after_end(item, last=False)
            for item in items[-1:]:
                _refuse_after_end(item, last=last)
        case Repeat(item, _, most):
            _refuse_after_end(item, last=last and most == 1)
        case _:
            for child in children(node):
                _refuse_after_end(child, last=last)


def _refuse_empty_rounds(node: Node) -> None:
    """Refuse repeats that try an empty round before others: RE2 and `re` can disagree on where such a match ends."""
    if isinstance(node, Repeat) and node.most != 1 and min_width(node.item) == 0 and _tries_empty_early(node.item):
        raise PatternError(
            "it repeats something that can be empty before all else was tried, such as (?:a*|b)+ or (?:a??)+",
            "Let what is repeated need at least one character, such as (?:a|b)+.",
        )
    for child in children(node):
        _refuse_empty_rounds(child)


def _tries_empty_early(node: Node) -> bool:
    match node:
        case Repeat(greedy=False):
            return True
        case Choice(options) if 0 in map(min_width, options[:-1]):
            return True
        case _:
            return any(map(_tries_empty_early, children(node)))


def _sequence(parsed: Any, flags: int) -> Node:
    items: list[Node] = []
    for operator, argument in parsed:
        node = _READERS.get(operator, _refuse)(operator, argument, flags)
        items.extend(node.items if isinstance(node, Concatenation) else (node,))
    return items[0] if len(items) == 1 else Concatenation(tuple(items))


def _literal(_: Any, point: int, flags: int) -> Node:
    return Chars(_charset(((_constants.LITERAL, point),), flags))


def _not_literal(_: Any, point: int, flags: int) -> Node:
    return Chars(charset.complement(_charset(((_constants.LITERAL, point),), flags)))


def _any(_: Any, __: Any, flags: int) -> Node:
    return Chars(charset.EVERY if flags & re.DOTALL else charset.complement(charset.NEWLINE))


def _class(_: Any, items: list[tuple[Any, Any]], flags: int) -> Node:
    if items[0][0] is _constants.NEGATE:
        return Chars(charset.complement(_charset(tuple(items[1:]), flags)))
    return Chars(_charset(tuple(items), flags))


def _at(_: Any, place: Any, flags: int) -> Node:
    by_line = bool(flags & re.MULTILINE)
    if place in (_constants.AT_BOUNDARY, _constants.AT_NON_BOUNDARY) and flags & re.ASCII:
        raise PatternError(r"it uses \b or \B under the flag (?a)", r"Leave out (?a), or write the ends as classes.")
    return At(_PLACES[place, by_line])


def _branch(_: Any, argument: tuple[Any, list[Any]], flags: int) -> Node:
    return Choice(tuple(_sequence(option, flags) for option in argument[1]))


def _group(_: Any, argument: tuple[Any, int, int, Any], flags: int) -> Node:
    _, added, removed, inside = argument
    if added & _TYPE_FLAGS:
        flags &= ~_TYPE_FLAGS
    return _sequence(inside, (flags | added) & ~removed)


def _repeat(operator: Any, argument: tuple[int, Any, Any], flags: int) -> Node:
    least, most, inside = argument
    unlimited = most is _constants.MAXREPEAT
    if max(least, 0 if unlimited else most) > MAX_REPEAT:
        raise PatternError(
            f"it repeats something more than {MAX_REPEAT} times", f"Use a count up to {MAX_REPEAT}, or none: {{5,}}."
        )
    if most == 0:
        return Concatenation(())
    greedy = operator is _constants.MAX_REPEAT
    return Repeat(_sequence(inside, flags), int(least), None if unlimited else int(most), greedy)


def _refuse(operator: Any, _: Any, __: int) -> Node:
    what, remedy = _BACKTRACKING.get(str(operator), (f"`{operator}`", "Write it without."))
    raise PatternError(f"{what} needs backtracking, which cannot run in linear time", remedy)


@functools.lru_cache(4096)
def _charset(items: tuple[tuple[Any, Any], ...], flags: int) -> CharSet:
    characters = charset.union(*(_member(operator, argument, flags) for operator, argument in items))
    if not flags & re.IGNORECASE:
        return characters
    pattern = f"[{''.join(_source(operator, argument) for operator, argument in items)}]"
    return charset.in_any_case(characters, pattern, re.IGNORECASE | (flags & re.ASCII))


def _member(operator: Any, argument: Any, flags: int) -> CharSet:
    if operator is _constants.CATEGORY:
        letter, is_negated = _CATEGORIES[argument]
        characters = charset.category(letter, ascii_only=bool(flags & re.ASCII))
        return charset.complement(characters) if is_negated else characters
    return (argument,) if operator is _constants.RANGE else ((argument, argument),)


def _source(operator: Any, argument: Any) -> str:
    if operator is _constants.CATEGORY:
        letter, is_negated = _CATEGORIES[argument]
        return f"\\{letter.upper() if is_negated else letter}"
    return "-".join(f"\\U{point:08x}" for point in (argument if operator is _constants.RANGE else (argument,)))


_READERS: dict[Any, Callable[[Any, Any, int], Node]] = {
    _constants.LITERAL: _literal,
    _constants.NOT_LITERAL: _not_literal,
    _constants.ANY: _any,
    _constants.IN: _class,
    _constants.AT: _at,
    _constants.BRANCH: _branch,
    _constants.SUBPATTERN: _group,
    _constants.MAX_REPEAT: _repeat,
    _constants.MIN_REPEAT: _repeat,
}

_PLACES = {
    (_constants.AT_BEGINNING, False): Place.START,
    (_constants.AT_BEGINNING, True): Place.LINE_START,
    (_constants.AT_END, False): Place.END_OR_LAST_NEWLINE,
    (_constants.AT_END, True): Place.LINE_END,
    **{
        (place, by_line): node
        for by_line in (False, True)
        for place, node in (
            (_constants.AT_BEGINNING_STRING, Place.START),
            (_constants.AT_END_STRING, Place.END),
            (_constants.AT_BOUNDARY, Place.BOUNDARY),
            (_constants.AT_NON_BOUNDARY, Place.NOT_BOUNDARY),
        )
    },
}


_CATEGORIES: dict[Any, tuple[str, bool]] = {
    _constants.CATEGORY_WORD: ("w", False),
    _constants.CATEGORY_NOT_WORD: ("w", True),
    _constants.CATEGORY_DIGIT: ("d", False),
    _constants.CATEGORY_NOT_DIGIT: ("d", True),
    _constants.CATEGORY_SPACE: ("s", False),
    _constants.CATEGORY_NOT_SPACE: ("s", True),
}

_LOOK = "Match the text itself, with what may stand around it as part of the pattern."
_POSSESSIVE = "Write it with a plain quantifier; nothing here is slow because of one."
_BACKTRACKING = {
    "ASSERT": ("a look-around", _LOOK),
    "ASSERT_NOT": ("a negative look-around", _LOOK),
    "FAILURE": ("a negative look-around", _LOOK),
    "GROUPREF": ("a reference back to a group", "Write out what may stand there a second time."),
    "GROUPREF_EXISTS": ("a condition on a group", "Write the cases as alternatives: a|b."),
    "ATOMIC_GROUP": ("an atomic group", _POSSESSIVE),
    "POSSESSIVE_REPEAT": ("a possessive quantifier", _POSSESSIVE),
}
