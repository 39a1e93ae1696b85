"""The part of a pattern worth looking for in one pass with many others.

A gap such as ``.*`` keeps a match half open over the whole text. With many patterns at once an automaton has a state
for every combination of half-open matches: a hundred patterns ``a.*b`` have 2^100. So the one pass looks for what
must stand between the gaps, and only where that is found the whole pattern is looked for by itself.
"""

from __future__ import annotations

import functools
import math

from specspan.checks.regex import charset
from specspan.checks.regex.charset import CharSet
from specspan.checks.regex.nodes import At, Chars, Choice, Node, Repeat, Sequence, charsets

_MANY = 8  # a repeat of up to as many rounds is no gap
_ENOUGH_BITS = 5.0  # less than this tells of one literal character is not worth looking for
_BLANK_AND_LETTER = (((32, 32),), ((97, 97),))


def factor(node: Node) -> Node | None:
    """What must stand in a text for ``node`` to match there, without gaps; None if it is too little to look for.

    ``node`` itself if it has no gaps.
    """
    if not has_gap(node):
        return node if bits(node) >= _ENOUGH_BITS else None
    match node:
        case Sequence(items):
            return _best_run(items)
        case Choice(options):
            factors = [factor(option) for option in options]
            return Choice(tuple(each for each in factors if each is not None)) if None not in factors else None
        case Repeat(item, least) if least > 0:
            return factor(item)
        case _:
            return None


def has_gap(node: Node) -> bool:
    """Whether something in ``node`` repeats over words and the blanks between them."""
    match node:
        case Repeat(item, _, most) if most is None or most > _MANY:
            every = charset.union(*charsets(item))
            return all(charset.intersection(every, each) for each in _BLANK_AND_LETTER) or has_gap(item)
        case Repeat(item):
            return has_gap(item)
        case Sequence(items) | Choice(items):
            return any(map(has_gap, items))
        case _:
            return False


def bits(node: Node) -> float:
    """How much a match of ``node`` says about an ASCII text: 7 for a literal character, 0 for any."""
    match node:
        case Chars(characters):
            return _bits(characters)
        case At():
            return 0
        case Sequence(items):
            return sum(map(bits, items))
        case Choice(options):
            return min(map(bits, options))
        case Repeat(item, least):
            return bits(item) * least


@functools.lru_cache(4096)
def _bits(characters: CharSet) -> float:
    return 7 - math.log2(charset.size(charset.intersection(characters, charset.ASCII)) or 1)


def _best_run(items: tuple[Node, ...]) -> Node | None:
    """The most telling run of items without a gap, or factor of an item with one."""
    found: list[Node] = []
    run: list[Node] = []
    for item in items:
        if has_gap(item):
            found.append(Sequence(tuple(run)))
            run = []
            found.extend(inner for inner in (factor(item),) if inner is not None)
        else:
            run.append(item)
    best = max([*found, Sequence(tuple(run))], key=bits)
    return best if bits(best) >= _ENOUGH_BITS else None
