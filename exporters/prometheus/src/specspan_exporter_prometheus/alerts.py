"""An alert, as a rule file has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Alert:
    """One alerting rule."""

    name: str
    expr: str
    labels: Mapping[str, str]
    summary: str
    description: str
    links: Mapping[str, str] = field(default_factory=dict)
    """``runbook_url``, ``traces_url``."""
    held: str | None = None
    """How long it must hold before it fires."""

    def as_rule(self) -> dict[str, Any]:
        """As YAML has it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({} if self.held is None else {"for": self.held}),
            "labels": dict(self.labels),
            "annotations": {"summary": self.summary, "description": self.description, **self.links},
        }
