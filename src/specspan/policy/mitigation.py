"""Mitigation: an amendment of one clause that expires by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from specspan.call import ModelCall
from specspan.decision import Action

ACTIONS = (Action.BLOCK, Action.REDACT, Action.ESCALATE, Action.FLAG)
"""Actions that a mitigation may take: those that need no text of their own."""
TEXTS = ("id", "clause", "action", "reason", "by")
"""Members that every mitigation has, in a file."""
OPTIONAL_TEXTS = ("tool", "model")
TIMES = ("made_unix_nano", "until_unix_nano")


@dataclass(frozen=True, slots=True)
class Mitigation:
    """Amendment of one clause: what is done about a violation of it, until a time."""

    id: str
    clause: str
    action: Action
    made_unix_nano: int
    until_unix_nano: int
    reason: str
    by: str
    tool: str | None = None
    """Calls that declare or carry out this tool; None for all. ``*`` stands for anything."""
    model: str | None = None
    """Calls of this model; None for all. ``*`` stands for anything."""

    def is_for(self, call: ModelCall | None, now_unix_nano: int) -> bool:
        """Return whether the amendment holds for a call that is made now."""
        if now_unix_nano >= self.until_unix_nano:
            return False
        if call is None:
            return self.tool is None and self.model is None
        if not self.is_for_model(call.request.model):
            return False
        return self.tool is None or any(fnmatchcase(name, self.tool) for name in _tools(call))

    def is_for_model(self, model: str | None) -> bool:
        """Return whether the amendment is for calls of a model."""
        return self.model is None or fnmatchcase(model or "", self.model)

    def to_json(self) -> dict[str, Any]:
        """Return the members as the file has them."""
        texts = {name: getattr(self, name) for name in (*TEXTS, *OPTIONAL_TEXTS, *TIMES)}
        return {name: value for name, value in {**texts, "action": self.action.value}.items() if value is not None}


def _tools(call: ModelCall) -> list[str]:
    request = call.request
    names = [] if request.executes is None else [request.executes.name]
    for tool in request.tools:
        function = tool.get("function")
        name = tool.get("name", function.get("name") if isinstance(function, Mapping) else None)
        if isinstance(name, str):
            names.append(name)
    return names
