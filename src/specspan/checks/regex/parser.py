"""From the source of a pattern to its tree, read by Python's own parser.

The only module that knows the inside of `re`. What its parser accepts and RE2 cannot carry out is refused here.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import Any

from specspan.checks.regex import syntax_tree as charset
from specspan.checks.regex.syntax_tree import (
    At,
    Chars,
    CharSet,
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
    from re import _constants as _words  # type: ignore[attr-defined]
    from re import _parser
else:
    import sre_constants as _words
    import sre_parse as _parser

MAX_REPEAT = 1000
"""How often RE2 repeats a thing at most, where there is a limit at all."""

MAX_DEPTH = 50
"""So deep that nobody writes it, and not so deep that walking the tree runs out of stack."""

_TYPE_FLAGS = re.ASCII | re.UNICODE | re.LOCALE


class Refused(ValueError):
    """A pattern that is none, or that cannot be carried out in linear time."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def parse(source: str) -> Node:
    """The tree of ``source``.

    Raises:
        Refused: it is not a regular expression, or needs backtracking.
    """
    try:
        parsed = _parser.parse(source, 0)
        node = _sequence(parsed, parsed.state.flags)
        if depth(node) > MAX_DEPTH:
            raise _too_deep()
    except re.error as error:
        raise Refused(f"it is not a regular expression: {error}", "Write it as Python's `re` takes it.") from None
    except OverflowError as error:
        raise Refused(f"it is too large to be read ({error})", "Split it into several patterns.") from None
    except RecursionError:
        raise _too_deep() from None
    _refuse_after_end(node, last=True)
    _refuse_empty_rounds(node)
    return node


def _too_deep() -> Refused:
    return Refused(f"its groups and repeats are nested more than {MAX_DEPTH} deep", "Nest fewer.")


def _refuse_after_end(node: Node, *, last: bool) -> None:
    """`$` looks at a last newline without consuming it, which RE2 cannot, except where nothing follows."""
    match node:
        case At(Place.END_OR_LAST_NEWLINE) if not last:
            raise Refused(
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
    """Where a round that is empty is tried before others, RE2 and `re` can disagree on where the match ends."""
    if isinstance(node, Repeat) and node.most != 1 and min_width(node.item) == 0 and _tries_empty_early(node.item):
        raise Refused(
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
    return Chars(_charset(((_words.LITERAL, point),), flags))


def _not_literal(_: Any, point: int, flags: int) -> Node:
    return Chars(charset.complement(_charset(((_words.LITERAL, point),), flags)))


def _any(_: Any, __: Any, flags: int) -> Node:
    return Chars(charset.EVERY if flags & re.DOTALL else charset.complement(charset.NEWLINE))


def _class(_: Any, items: list[tuple[Any, Any]], flags: int) -> Node:
    if items[0][0] is _words.NEGATE:
        return Chars(charset.complement(_charset(tuple(items[1:]), flags)))
    return Chars(_charset(tuple(items), flags))


def _at(_: Any, place: Any, flags: int) -> Node:
    by_line = bool(flags & re.MULTILINE)
    if place in (_words.AT_BOUNDARY, _words.AT_NON_BOUNDARY) and flags & re.ASCII:
        raise Refused(r"it uses \b or \B under the flag (?a)", r"Leave out (?a), or write the ends as classes.")
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
    unlimited = most is _words.MAXREPEAT
    if max(least, 0 if unlimited else most) > MAX_REPEAT:
        raise Refused(
            f"it repeats something more than {MAX_REPEAT} times", f"Use a count up to {MAX_REPEAT}, or none: {{5,}}."
        )
    if most == 0:
        return Concatenation(())
    greedy = operator is _words.MAX_REPEAT
    return Repeat(_sequence(inside, flags), int(least), None if unlimited else int(most), greedy)


def _refuse(operator: Any, _: Any, __: int) -> Node:
    what, remedy = _BACKTRACKING.get(str(operator), (f"`{operator}`", "Write it without."))
    raise Refused(f"{what} needs backtracking, which cannot run in linear time", remedy)


@functools.lru_cache(4096)
def _charset(items: tuple[tuple[Any, Any], ...], flags: int) -> CharSet:
    found = charset.union(*(_member(operator, argument, flags) for operator, argument in items))
    if not flags & re.IGNORECASE:
        return found
    characters = f"[{''.join(_source(operator, argument) for operator, argument in items)}]"
    return charset.in_any_case(found, characters, re.IGNORECASE | (flags & re.ASCII))


def _member(operator: Any, argument: Any, flags: int) -> CharSet:
    if operator is _words.CATEGORY:
        letter, among = _CATEGORIES[argument]
        found = charset.category(letter, ascii_only=bool(flags & re.ASCII))
        return found if among else charset.complement(found)
    return (argument,) if operator is _words.RANGE else ((argument, argument),)


def _source(operator: Any, argument: Any) -> str:
    if operator is _words.CATEGORY:
        letter, among = _CATEGORIES[argument]
        return f"\\{letter if among else letter.upper()}"
    return "-".join(f"\\U{point:08x}" for point in (argument if operator is _words.RANGE else (argument,)))


_READERS: dict[Any, Callable[[Any, Any, int], Node]] = {
    _words.LITERAL: _literal,
    _words.NOT_LITERAL: _not_literal,
    _words.ANY: _any,
    _words.IN: _class,
    _words.AT: _at,
    _words.BRANCH: _branch,
    _words.SUBPATTERN: _group,
    _words.MAX_REPEAT: _repeat,
    _words.MIN_REPEAT: _repeat,
}

_PLACES = {
    (_words.AT_BEGINNING, False): Place.START,
    (_words.AT_BEGINNING, True): Place.LINE_START,
    (_words.AT_END, False): Place.END_OR_LAST_NEWLINE,
    (_words.AT_END, True): Place.LINE_END,
    **{
        (place, by_line): node
        for by_line in (False, True)
        for place, node in (
            (_words.AT_BEGINNING_STRING, Place.START),
            (_words.AT_END_STRING, Place.END),
            (_words.AT_BOUNDARY, Place.BOUNDARY),
            (_words.AT_NON_BOUNDARY, Place.NOT_BOUNDARY),
        )
    },
}


_CATEGORIES: dict[Any, tuple[str, bool]] = {
    _words.CATEGORY_WORD: ("w", True),
    _words.CATEGORY_NOT_WORD: ("w", False),
    _words.CATEGORY_DIGIT: ("d", True),
    _words.CATEGORY_NOT_DIGIT: ("d", False),
    _words.CATEGORY_SPACE: ("s", True),
    _words.CATEGORY_NOT_SPACE: ("s", False),
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
