"""A pattern's tree in RE2's syntax, for texts in one alphabet."""

from __future__ import annotations

from specspan.checks.regex.alphabet import Alphabet
from specspan.checks.regex.nodes import At, Chars, Choice, Node, Place, Repeat, Sequence, min_width

_PLACES = {
    Place.START: r"\A",
    Place.LINE_START: "(?m:^)",
    Place.END: r"\z",
    # RE2 cannot look at a newline without consuming it; it is taken off the end of the match by its group.
    Place.END_OR_LAST_NEWLINE: r"(?:(\n)\z|\z)",
    Place.LINE_END: "(?m:$)",
    Place.BOUNDARY: r"\b",
    Place.NOT_BOUNDARY: r"\B",
}


def emit(node: Node, alphabet: type[Alphabet], *, first: bool = True) -> str:
    """``node`` in RE2's syntax; ``first`` if a match can begin inside it."""
    match node:
        case Chars(characters):
            return alphabet.one_of(characters, first=first)
        case At(place):
            return _PLACES[place]
        case Choice(options):
            return f"(?:{'|'.join(emit(option, alphabet, first=first) for option in options)})"
        case Sequence(items):
            return _sequence(items, alphabet, first=first)
        case Repeat():
            return _repeat(node, alphabet, first=first)


def _sequence(items: tuple[Node, ...], alphabet: type[Alphabet], *, first: bool) -> str:
    written = []
    for item in items:
        written.append(emit(item, alphabet, first=first))
        first = first and min_width(item) == 0
    return "".join(written)


def _repeat(node: Repeat, alphabet: type[Alphabet], *, first: bool) -> str:
    item = emit(node.item, alphabet, first=first)
    if first and node.most != 1 and min_width(node.item) > 0:
        return _first_and_more(node, item, emit(node.item, alphabet, first=False))
    return f"(?:{item}){_times(node.least, node.most, node.greedy)}"


def _first_and_more(node: Repeat, item: str, later: str) -> str:
    """Only the first round can begin a match: the others are written shorter, where there is a difference."""
    if item == later:
        return f"(?:{item}){_times(node.least, node.most, node.greedy)}"
    more = _times(max(node.least - 1, 0), None if node.most is None else node.most - 1, node.greedy)
    rounds = f"{item}(?:{later}){more}"
    return rounds if node.least else f"(?:{rounds}){_times(0, 1, node.greedy)}"


def _times(least: int, most: int | None, greedy: bool) -> str:
    return f"{{{least},{'' if most is None else most}}}{'' if greedy else '?'}"
