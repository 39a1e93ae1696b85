"""Kinds of ways that several wire formats have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from enforcement_table import AFTER, BEFORE, WORD, Way, wire_of

ANY = ("violated", "error", "unassessed")
"""Verdicts that are true where a part of the answer may not be readable."""
UNREAD = ("violated", "unassessed")
"""Verdicts that are true where the text stands in a place that may not be known."""
ALLOWED = ("complied", "unassessed", "error")
"""Verdicts that are true of an allowed answer of which a part may not be readable."""
OPEN = ("block", "redact", "openblock")

DENIED: dict[str, Any] = {
    "forbidden": "forbidden_tool",
    "clause": {"checks": [{"tools": {"deny": ["forbidden_tool"]}}]},
    "reason": "tool_not_allowed",
    "actions": ("block", "redact"),
}
"""Fields of a way in which the name of a tool is forbidden."""

DISGUISES = {
    "zero_width": "FOR\u200bBIDDEN",
    "fullwidth": "\uff26\uff2f\uff32\uff22\uff29\uff24\uff24\uff25\uff2e",
    "soft_hyphen": "FOR\u00adBIDDEN",
    "tag_characters": "FOR\U000e0041BIDDEN",
    "confusable": "F\u041eRBIDDEN",
    "combining": "FO\u034fRBIDDEN",
    "accents": "F\u0301ORB\u00cdDDEN",
    "struck_through": "".join(f"{each}\u0336" for each in WORD),
    "control": "FOR\x00BID\x1fDEN",
    "blank": "FOR\u2800BIDDEN",
    "reference": "FO&#82;BIDDEN",
    "flags": "".join(chr(0x1F1E6 + ord(each) - ord("A")) for each in WORD),
    "squares": "".join(chr(0x1F130 + ord(each) - ord("A")) for each in WORD),
    "hidden": "".join(chr(0xE0000 + ord(each)) for each in WORD),
    "reversed": f"\u202e{WORD[::-1]}\u202c",
}
"""The forbidden word, written so that a reader sees it and a plain pattern does not."""


def malformed_chunks(
    wire: str, chunks: Mapping[str, Any], begin: Sequence[Any], rest: Sequence[Any], part: int = 1
) -> Iterator[Way]:
    """Yield each malformed chunk in front of forbidden text; the same stream without the text must pass."""
    clean = [each for each in rest if WORD not in repr(each)]
    for name, bad in chunks.items():
        sends = (*begin, *(bad if isinstance(bad, tuple) else (bad,)), *rest)
        yield Way(f"{name}_then_text", part, wire, sends, ("stream",), OPEN, verdicts=ANY)
        allowed = tuple(each for each in sends if each not in rest or each in clean)
        yield Way(f"{name}_clean", part, wire, allowed, ("stream",), ("openblock",), forbidden=None, verdicts=ALLOWED)


def malformed_bodies(wire: str, bodies: Mapping[str, Any], part: int = 1) -> Iterator[Way]:
    """Yield each malformed body that holds forbidden text, in a tool call where the name says ``arguments``."""
    for name, bad in bodies.items():
        is_tool = "arguments" in name
        yield Way(f"{name}_body", part, wire, bad, ("plain",), OPEN, before=None, is_edited=not is_tool and None,
                  is_tool=is_tool, verdicts=ANY)  # fmt: skip


def unread(wire: str, answers: Mapping[str, Any], part: int = 5) -> Iterator[Way]:
    """Yield answers whose text may not be readable: read or stopped, and passed as unassessed under ``open``."""
    way = partial(Way, part=part, wire=wire, is_edited=None, verdicts=UNREAD, before=None)
    for name, sends in answers.items():
        yield way(id=f"{name}_open", sends=sends, actions=("openblock",))
        yield way(id=name, sends=sends, actions=("block",))


def doors(wire: str, modes: Sequence[str]) -> Iterator[Way]:
    """Yield each mode that reads below a watched stream."""
    for mode in modes:
        sends = wire_of(wire).stream(BEFORE, WORD, AFTER)
        yield Way(mode, 8, wire, sends, (mode,), ("block", "redact"), is_door=True, verdicts=ANY)


def disguises(wire: str, names: Sequence[str] = ("zero_width", "confusable")) -> Iterator[Way]:
    """Yield the word in some disguises, and texts that a normalised pattern must leave as they are."""
    format_ = wire_of(wire)
    plain, streamed = format_.plain_modes[:1], format_.stream_modes[:1]
    pattern = {"normalise": True}
    for name in names:
        word = DISGUISES[name]
        way = partial(
            Way, part=10, wire=wire, forbidden=word, pattern=pattern, after=AFTER, actions=("block", "redact")
        )
        if plain:
            yield way(id=name, sends=format_.answer(BEFORE + word + AFTER), modes=plain)
        if streamed:
            yield way(id=f"{name}_stream", sends=format_.stream(BEFORE, word[:4], word[4:], AFTER), modes=streamed)
    for name, text in (("plain_text", BEFORE), ("other_script", "\u0424\u041e\u0420\u0411 \uff11\u00ad")):
        if plain:
            yield Way(f"normalise_{name}", 10, wire, format_.answer(text), plain, ("redact",), forbidden=None,
                      verdicts=("complied",), pattern=pattern)  # fmt: skip
