"""Reference for streams: reads the whole answer, and says what may come out of it and what the record must say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enforcement_http import Service
from enforcement_output import Output, Place
from enforcement_policies import MARKER, REPLACEMENT, policy
from enforcement_runner import Leak, call, decisions_of
from enforcement_table import WORD, WireFormat

import specspan
from specspan.testing import recorded


@dataclass(frozen=True)
class Expected:
    """Text that may come out of a stream under an action."""

    text: str
    """The text that the application gets, all choices one after the other."""
    released_chars: int | None
    """The characters that it had when the stream was cut; None where it is not cut."""

    @property
    def is_cut(self) -> bool:
        """Return whether the stream is cut."""
        return self.released_chars is not None


def expected(pieces: Sequence[tuple[int, str]], action: str) -> Expected:
    """Return what may come out of pieces of text, each of a choice, under an action."""
    texts: dict[int, str] = {}
    for choice, piece in pieces:
        before = texts.get(choice, "")
        texts[choice] = before + piece
        start = texts[choice].find(WORD)
        if start >= 0:
            released = sum(map(len, texts.values())) - len(piece)
            texts[choice] = before + _instead(before, texts[choice], start, action)
            return Expected("".join(texts[each] for each in sorted(texts)), released)
    return Expected("".join(texts[each] for each in sorted(texts)), None)


def _instead(before: str, text: str, start: int, action: str) -> str:
    """Return what takes the place of the piece that completes the word."""
    if action == "redact":
        return text[len(before) : max(start, len(before))] + MARKER
    return REPLACEMENT if action == "replace" else ""


def run(wire: WireFormat, events: tuple[Any, ...], action: str | None) -> tuple[Output, Mapping[str, Any]]:
    """Return what comes out of a stream and its decision; without an action, what the client alone gives."""
    service = Service(wire.encode(events), is_stream=True)
    if action is None:
        return call(wire.modes["stream"], service, {}), {}
    with recorded(policy(action, {}, {})) as record:
        output = call(wire.modes["stream"], service, {})
        decisions = decisions_of(record)
    if len(decisions) != 1:
        raise Leak(f"{len(decisions)} decisions")
    return output, decisions[0]


def text_of(wire: WireFormat, output: Output) -> str:
    """Return the text of an answer as the application puts it together, all choices one after the other."""
    places: dict[Place, str] = {place: text for place, text in output.places.items() if wire.is_text(place)}
    return "".join(places[place] for place in sorted(places, key=repr))


def check_stream(wire: WireFormat, pieces: Sequence[tuple[int, str]], events: tuple[Any, ...], action: str) -> None:
    """Raise `Leak` where a stream of whole events differs from the reference."""
    alone, _ = run(wire, events, None)
    assert text_of(wire, alone) == expected(pieces, "none").text or expected(pieces, "none").is_cut
    output, decision = run(wire, events, action)
    reference = expected(pieces, action)
    problems = list(_differences(wire, reference, action, alone, output, decision))
    if problems:
        raise Leak("; ".join(problems))


def _differences(
    wire: WireFormat, reference: Expected, action: str, alone: Output, output: Output, decision: Mapping[str, Any]
) -> Any:
    text = text_of(wire, output)
    is_blocked = isinstance(output.error, specspan.Blocked)
    if not reference.is_cut:
        if output.chunks != alone.chunks or type(output.error) is not type(alone.error):
            yield "an allowed stream was changed"
        if decision["action"] != "allow" or decision["verdict"] not in ("complied", "unassessed"):
            yield f"an allowed stream is recorded as {decision['verdict']}, {decision['action']}"
        return
    if text != reference.text:
        yield f"the text is {text!r}, not {reference.text!r}"
    if output.has(WORD):
        yield "the forbidden text came out"
    if (decision["verdict"], decision["action"], decision["reason"]) != ("violated", action, "word"):
        yield f"recorded as {decision['verdict']}, {decision['action']}, {decision['reason']}"
    if decision["stream"]["released_chars"] != reference.released_chars:
        yield f"released {decision['stream']['released_chars']} characters, not {reference.released_chars}"
    if is_blocked != (action == "block"):
        yield f"the application got {type(output.error).__name__}"
    if is_blocked and output.chunks != alone.chunks[: len(output.chunks)]:
        yield "what came out before the cut was changed"


def check_hostile_stream(wire: WireFormat, events: tuple[Any, ...], action: str) -> None:
    """Raise `Leak` where a stream in which something is wrong lets text out, is changed or is recorded falsely."""
    alone, _ = run(wire, events, None)
    output, decision = run(wire, events, action)
    problems = list(_breaches(action, alone, output, decision))
    if problems:
        raise Leak("; ".join(problems))


def _breaches(action: str, alone: Output, output: Output, decision: Mapping[str, Any]) -> Any:
    is_blocked = isinstance(output.error, specspan.Blocked)
    is_forbidden = alone.has(WORD)
    if output.has(WORD):
        yield "the forbidden text came out"
        if decision["action"] not in ("allow", "flag"):
            yield f"it is recorded as {decision['action']}"
    if is_forbidden and decision["verdict"] == "complied":
        yield "it is recorded as complied"
    if is_blocked != (decision["action"] == "block"):
        yield f"recorded as {decision['action']}, and the application got {type(output.error).__name__}"
    if not is_blocked and output.error is not None and type(output.error) is not type(alone.error):
        yield f"the application got {output.error!r:.100}"
    if is_blocked and not is_forbidden and decision["verdict"] == "violated":
        yield "an allowed stream was stopped"
    kept = len(output.chunks) if is_blocked or decision["action"] == "allow" else 0
    if output.chunks[:kept] != alone.chunks[:kept]:
        yield "what came out was changed"
    if decision["action"] in ("allow", "flag") and len(output.chunks) != len(alone.chunks):
        yield "the stream is cut, and not recorded as that"
