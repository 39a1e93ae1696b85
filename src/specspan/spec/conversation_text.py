"""Example conversations as the Model Spec writes them: what `specspan.spec.conversation` reads."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.spec.elements import pieces
from specspan.spec.model import Comparison, Example, Turn, Verdict

_EDGES = " \t\n*"
"""What is no part of text between messages."""


def conversation_text(example: Example) -> str:
    """The block of an example: its messages, and the answers compared where they stand between them."""
    lines: list[str] = []
    for at, turn in enumerate((*example.turns, None)):
        for comparison in example.comparisons:
            if comparison.turn == at:
                lines += _comparison(comparison)
        if turn is not None:
            if not turn.role and at and not example.turns[at - 1].role:
                lines.append("<!-- -->")  # keeps one text between messages apart from the next
            lines += _turn(turn)
    return "\n".join(lines)


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield "<comparison>"
    for answer in comparison.answers:
        verdict: Verdict | None = answer.verdict
        for turn in answer.turns:
            yield from _turn(turn, verdict)
            verdict = None
    yield "</comparison>"


def _turn(turn: Turn, verdict: Verdict | None = None) -> Iterator[str]:
    content = _content(turn)
    if not turn.role:
        yield _edged(content, _EDGES)
        return
    yield f"<{turn.role}{_attributes(turn)}>" + (f" <!-- {_verdict(verdict)} -->" if verdict else "")
    yield _edged(content, None)
    yield f"</{turn.role}>"


def _verdict(verdict: Verdict) -> str:
    charged = f"[#{verdict.charged}]" if verdict.charged else ""
    condition = f", {verdict.condition}" if verdict.condition else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    return f"{verdict.label}{charged}{condition}{reason}"


def _content(turn: Turn) -> str:
    """What is inside a message: everything escaped but the tags of the elements in it."""
    return "".join(
        _escaped(text) if inner is None else f"<{inner.role}{_attributes(inner)}>{_escaped(text)}</{inner.role}>"
        for text, inner in pieces(turn)
    )


def _attributes(turn: Turn) -> str:
    return "".join(f' {name}="{_escaped(value).replace(chr(34), "&quot;")}"' for name, value in turn.attributes.items())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")


def _edged(text: str, edges: str | None) -> str:
    """Text whose first and last characters are kept where they would be taken for layout."""
    if text and text != text.lstrip(edges):
        text = f"&#{ord(text[0])};{text[1:]}"
    if text and text != text.rstrip(edges):
        text = f"{text[:-1]}&#{ord(text[-1])};"
    return text
