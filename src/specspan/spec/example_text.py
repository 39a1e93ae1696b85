"""An example conversation as plain text, so that two of them can be compared word by word."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.spec.model import Answer, Example, Turn


def example_text(example: Example) -> str:
    """Title, turns and answers in reading order, a paragraph each, with who speaks and the verdict before it."""
    return "\n\n".join((example.title, *_parts(example)))


def _parts(example: Example) -> Iterator[str]:
    for place, turn in enumerate((*example.turns, None)):
        for comparison in example.comparisons:
            if comparison.turn == place:
                for answer in comparison.answers:
                    yield from _answer(answer)
        if turn is not None:
            yield _turn(turn)


def _answer(answer: Answer) -> Iterator[str]:
    verdict = answer.verdict
    if verdict is not None:
        charged = f"[#{verdict.charged}]" if verdict.charged else ""
        condition = f", {verdict.condition}" if verdict.condition else ""
        reason = f": {verdict.reason}" if verdict.reason else ""
        yield f"{verdict.label}{charged}{condition}{reason}"
    yield from map(_turn, answer.turns)


def _turn(turn: Turn) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in sorted(turn.attributes.items()))
    return f"{turn.role}{attributes}:\n{turn.content}" if turn.role else turn.content
