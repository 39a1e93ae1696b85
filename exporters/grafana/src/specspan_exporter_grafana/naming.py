"""Names of dashboards, folders and rules in Grafana."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

_MAX_UID: Final = 40
"""Characters that Grafana allows in a uid."""
_MAX_TITLE: Final = 190
"""Characters that Grafana allows in the title of an alert rule."""
_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Naming:
    """Names of everything made from one policy, so that those of several stand beside each other in one Grafana."""

    name: str = "specspan"
    """Letters, digits, ``_`` and ``-``: it begins every uid and file, and is the title of the folder."""

    def uid(self, *parts: str) -> str:
        """Return an identifier that stays the same each time the files are made."""
        whole = "-".join((self.name, *parts))
        if len(whole) <= _MAX_UID and not re.search(r"[^A-Za-z0-9_-]", whole):
            return whole
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:_DIGITS]
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", whole)[: _MAX_UID - _DIGITS - 1]
        return f"{plain}-{digest}"

    def title(self, *parts: str) -> str:
        """Return the title of an alert rule."""
        whole = " ".join(parts)
        if len(whole) <= _MAX_TITLE:
            return whole
        return f"{whole[: _MAX_TITLE - _DIGITS - 1]} {hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]}"
