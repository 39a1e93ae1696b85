"""Ways that every wire format has: the text stands where text stands, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from enforcement_table import AFTER, BEFORE, WORD, Way, wire_of
from installed import is_elsewhere


def _has_client(wire: str) -> bool:
    """Return whether the client of a wire format is installed here, or raise where it has to be."""
    try:
        wire_of(wire)
    except ModuleNotFoundError as error:
        if not is_elsewhere(error):
            raise
        return False
    return True


_FILES = sorted(Path(__file__).parent.glob("enforcement_wire_*.py"))
WIRES = tuple(filter(_has_client, (path.stem.removeprefix("enforcement_wire_") for path in _FILES)))
"""The wire formats whose clients are installed here; LiteLLM has an environment of its own."""


def _ways(name: str) -> Iterator[Way]:
    wire = wire_of(name)
    plain = wire.plain_modes + wire.more_plain_modes
    streamed = wire.stream_modes + wire.more_stream_modes
    if plain:
        yield Way("text", 0, name, wire.answer(BEFORE + WORD + AFTER), plain, after=AFTER)
        yield Way(
            "clean", 0, name, wire.answer(BEFORE + AFTER), plain, ("redact",), forbidden=None, verdicts=("complied",)
        )
    if streamed:
        yield Way("text_in_one_chunk", 0, name, wire.stream(BEFORE, WORD, AFTER), streamed, after=AFTER)
        yield Way("text_in_pieces", 0, name, wire.stream(BEFORE, "FORB", "IDDEN", AFTER), after=AFTER)
        yield Way("text_first", 0, name, wire.stream(WORD, AFTER), before=None, after=AFTER)
        yield Way("text_last", 0, name, wire.stream(BEFORE, BEFORE + WORD))
        clean = wire.stream(BEFORE, "FORB", AFTER)
        yield Way("clean_stream", 0, name, clean, streamed, ("redact",), forbidden=None, verdicts=("complied",))


WAYS = tuple(way for name in WIRES for way in _ways(name))
