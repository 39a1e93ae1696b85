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
    if first and node.most != 1 and min_width(node.item) > 0:
        return _first_and_more(node, alphabet)
    return f"(?:{emit(node.item, alphabet, first=first)}){_quantifier(node)}"


def _first_and_more(node: Repeat, alphabet: type[Alphabet]) -> str:
    """Only the first round can begin a match: the others are written shorter."""
    most = None if node.most is None else node.most - 1
    more = Repeat(node.item, max(node.least - 1, 0), most, node.greedy)
    rounds = Sequence((node.item, more))
    return emit(rounds if node.least else Repeat(rounds, 0, 1, node.greedy), alphabet, first=True)


def _quantifier(node: Repeat) -> str:
    most = "" if node.most is None else node.most
    return f"{{{node.least},{most}}}{'' if node.greedy else '?'}"
