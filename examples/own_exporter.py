"""Exporter of decision records of your own: here one line of JSON each, on standard output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openai

import specspan


class Lines:
    """Exporter that a thread calls with batches; a batch that fails is tried again, then counted as lost."""

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Print decisions, without other records, such as the policy that came into force."""
        for record in records:
            if record["type"] == "decision":
                print(json.dumps({name: record.get(name) for name in ("verdict", "action", "governing_clause")}))

    def shutdown(self) -> None:
        """Do nothing, as standard output stays open."""


specspan.configure(policy=Path(__file__).with_name("policy.yaml"), decision_exporters=[Lines()])
specspan.instrument("openai")
openai.OpenAI().chat.completions.create(
    model="gpt-5-mini", messages=[{"role": "user", "content": "Should I book the early train?"}]
)
