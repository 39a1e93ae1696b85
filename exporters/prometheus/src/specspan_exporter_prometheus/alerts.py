"""Alerting rules, as a rule file of Prometheus holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Alert:
    """Alerting rule of Prometheus."""

    name: str
    expr: str
    labels: Mapping[str, str]
    summary: str
    description: str
    links: Mapping[str, str] = field(default_factory=dict)
    """``runbook_url`` and ``traces_url``."""
    duration: str | None = None
    """Time for which the expression must hold before the alert fires."""

    def to_rule(self) -> dict[str, Any]:
        """Return the rule as it stands in the file."""
        return {
            "alert": self.name,
            "expr": self.expr,
            **({} if self.duration is None else {"for": self.duration}),
            "labels": dict(self.labels),
            "annotations": {"summary": self.summary, "description": self.description, **self.links},
        }
