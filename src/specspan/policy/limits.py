"""Limits that a policy sets to any check: on how many calls it is asked, and how long it may take."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from specspan.checks.base import Check, CheckConfigError
from specspan.checks.limited import LimitedCheck
from specspan.decision import CheckKind
from specspan.policy.schema import Entry, refused, share
from specspan.wording import shown

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


def _seconds(value: Any) -> Any:
    """``500ms`` as seconds."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(ms|s|m)", value) if isinstance(value, str) else None
    if not match or not float(match[1]):
        raise refused(f"{shown(value)} is no time limit", "Write a number and ms, s or m, such as 500ms.")
    return float(match[1]) * _UNITS[match[2]]


class LimitsEntry(Entry):
    """What may stand in the configuration of a check of any kind, beside what the kind itself knows."""

    sample: Annotated[
        float | None, BeforeValidator(share), WithJsonSchema({"type": ["string", "number"], "examples": [0.1, "10%"]})
    ] = None
    """The share of calls it looks at; on the others the clause is unassessed."""
    timeout: Annotated[
        float | None, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "examples": ["500ms", "2s"]})
    ] = None
    """How long it may take; out of time, its outcome is ``error``."""


def limited(check: Check, limits: LimitsEntry) -> Check:
    """The check under limits.

    Raises:
        CheckConfigError: a limit does not suit it.
    """
    if limits.timeout is not None and check.ref.kind is CheckKind.PATTERN:
        message = "patterns are matched in linear time, on the caller's thread, and need no time limit"
        raise CheckConfigError(message, "remove it", "timeout")
    if limits.sample is None and limits.timeout is None:
        return check
    timeout_s = check.timeout_s if limits.timeout is None else limits.timeout
    return LimitedCheck(check, 1.0 if limits.sample is None else limits.sample, timeout_s)
