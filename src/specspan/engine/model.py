"""What the engine says while a call is under way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specspan.decision import Action


@dataclass(frozen=True, slots=True)
class Ruling:
    """What to do now. In observe mode it never asks for anything."""

    action: Action = Action.ALLOW
    edits: Mapping[str, str] = field(default_factory=dict)
    """New text by JSON pointer of the part it stands in, under ``redact`` and ``replace``."""


PROCEED = Ruling()
"""Nothing to do: send it, or hand it over, as it is."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A streamed answer ends here: the chunk just fed is not handed over."""

    action: Action
    text: str | None = None
    """What to hand over in its place under ``redact`` and ``replace``; None hands over nothing."""
