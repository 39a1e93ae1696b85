"""Links of an alert to the runbook of its clause and to the traces that show it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote

HEALTH = "specspan-health"
"""Name of the runbook about specspan itself."""

JAEGER = (
    "http://localhost:16686/search?service={service}&lookback=1h"
    "&tags=%7B%22specspan.clause.{clause}%22%3A%22violated%22%7D"
)


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of runbooks and traces."""

    runbooks: str = "runbooks"
    """URL of the folder that ``specspan prometheus runbooks`` wrote."""
    traces: str = JAEGER
    """``{service}`` and ``{clause}`` are replaced."""

    def runbook(self, clause: str) -> str:
        """Return the address of a clause's runbook."""
        return f"{self.runbooks.rstrip('/')}/{page_name(clause)}"

    def traces_of(self, clause: str) -> str:
        """Return the address of the traces in which a clause was violated."""
        service = "{{ $labels.job | reReplaceAll `^.*/` `` }}"  # of "namespace/name", as OTLP makes it, the name
        return self.traces.replace("{clause}", escape_template(quote(clause, safe=""))).replace("{service}", service)


def page_name(clause: str) -> str:
    """Return the file name of a clause's runbook: its id, or part of it and a digest where that is not a file name."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", clause)
    if plain == clause and not clause.startswith("."):
        return f"{clause}.md"
    return f"{plain.lstrip('.')}-{hashlib.sha256(clause.encode()).hexdigest()[:8]}.md"


def escape_template(text: str) -> str:
    """Return a text with braces escaped, so that Prometheus' templates leave it as it is."""
    return text.replace("{{", '{{ "{{" }}')
