"""Settings of the ledger, from the environment or from code."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from specspan.errors import ConfigurationError, Problem

_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


class Durability(str, Enum):
    """Moment at which a call may return."""

    DURABLE = "durable"
    """Its decision is on disk and signed for: neither the end of the process nor that of the machine loses it."""
    ASYNC = "async"
    """The system has its decision: the end of the process does not lose it, that of the machine loses half a second."""
    OFF = "off"
    """There is no ledger."""


@dataclass(frozen=True, slots=True)
class LedgerSettings:
    """Settings of one ledger."""

    folder: Path
    """``SPECSPAN_LEDGER``: made where it is not there; on a disk of this machine, as locks and fsync must hold."""
    mode: Durability = Durability.ASYNC
    """``SPECSPAN_LEDGER_MODE``"""
    cap_bytes: int = 8 * 2**30
    """``SPECSPAN_LEDGER_CAP``: size of all segments at which further decisions are dropped and counted."""
    keep_s: float = 180 * 86_400.0
    """``SPECSPAN_LEDGER_KEEP``: age at which segments that every backend has are removed."""
    pinned: Path | None = None
    """``SPECSPAN_LEDGER_PINNED``: file outside of the folder that gets checkpoints, for `verify` to compare with."""
    keeps_content: bool = False
    """``SPECSPAN_LEDGER_CONTENT=encrypted``: content of calls is kept beside the chain, with a key for each subject."""
    redact: Callable[[str], str] | None = None
    """Changes each text that is kept, before it is encrypted; where it raises, the call's content is not kept."""
    segment_bytes: int = 16 * 2**20
    """Size at which a segment ends and the next one begins."""
    segment_s: float = 86_400.0
    """Age at which a segment ends."""
    interval_s: float = 0.5
    """The longest that a record waits for its checkpoint and for fsync, in the mode ``async``."""
    heartbeat_s: float = 60.0
    """Time between two signs of life of an idle process."""


def read_ledger_settings(
    environ: Mapping[str, str], ledger: str | os.PathLike[str] | LedgerSettings | bool | None = None
) -> LedgerSettings | None:
    """Return the settings of the ledger; None where there is none.

    Args:
        environ: variables; an empty one counts as unset.
        ledger: the folder, in place of ``SPECSPAN_LEDGER``, or all settings; False for no ledger.

    Raises:
        ConfigurationError: a value is invalid, or the system has no locks on files (Windows).
    """
    if isinstance(ledger, LedgerSettings):
        return None if ledger.mode is Durability.OFF else ledger
    variables = {name: value.strip() for name, value in environ.items() if value.strip()}
    folder = variables.get("SPECSPAN_LEDGER") if ledger is None or ledger is True else ledger
    mode = _mode(variables.get("SPECSPAN_LEDGER_MODE", Durability.ASYNC.value))
    if ledger is True and folder is None:
        raise ConfigurationError("configure(ledger=True)", Problem("missing folder", "Set SPECSPAN_LEDGER to one."))
    if not folder or mode is Durability.OFF:
        return None
    if os.name != "posix":
        problem = Problem("a ledger needs POSIX locks on files", "Leave it out on this system.")
        raise ConfigurationError("SPECSPAN_LEDGER", problem)
    settings = LedgerSettings(Path(os.path.abspath(os.fspath(folder))), mode)  # noqa: PTH100 - links stay links
    if (cap := variables.get("SPECSPAN_LEDGER_CAP")) is not None:
        settings = replace(settings, cap_bytes=parse_size(cap, "SPECSPAN_LEDGER_CAP"))
    if (keep := variables.get("SPECSPAN_LEDGER_KEEP")) is not None:
        settings = replace(settings, keep_s=parse_age(keep, "SPECSPAN_LEDGER_KEEP"))
    if (pinned := variables.get("SPECSPAN_LEDGER_PINNED")) is not None:
        settings = replace(settings, pinned=Path(os.path.abspath(pinned)))  # noqa: PTH100 - links stay links
    if (content := variables.get("SPECSPAN_LEDGER_CONTENT", "none").casefold()) not in ("none", "encrypted"):
        problem = Problem(f"unknown value {content!r}", "Use one of none, encrypted.")
        raise ConfigurationError("SPECSPAN_LEDGER_CONTENT", problem)
    return replace(settings, keeps_content=content == "encrypted")


def parse_size(text: str, source: str) -> int:
    """Return the bytes in ``8GiB``, ``500M`` or ``1000``; units are powers of 1024.

    Raises:
        ConfigurationError: the text is no size; ``source`` is named.
    """
    match = re.fullmatch(r"(\d{1,15})\s*([kmgt]?)(?:i?b)?", text.strip().casefold())
    if match is None or not int(match[1]):
        raise ConfigurationError(source, Problem(f"invalid size {text!r}", "Write a size such as 8GiB."))
    return int(match[1]) * _UNITS[match[2]]


def parse_age(text: str, source: str) -> float:
    """Return the seconds in ``180d``, ``36h`` or ``forever``.

    Raises:
        ConfigurationError: the text is no age; ``source`` is named.
    """
    word = text.strip().casefold()
    match = re.fullmatch(r"(\d{1,6})\s*([dh])", word)
    if word == "forever":
        return math.inf
    if match is None or not int(match[1]):
        raise ConfigurationError(source, Problem(f"invalid age {text!r}", "Write one such as 180d, or 'forever'."))
    return int(match[1]) * (86_400.0 if match[2] == "d" else 3_600.0)


def _mode(word: str) -> Durability:
    try:
        return Durability(word.casefold())
    except ValueError:
        problem = Problem(f"unknown mode {word!r}", f"Use one of {', '.join(each.value for each in Durability)}.")
        raise ConfigurationError("SPECSPAN_LEDGER_MODE", problem) from None
