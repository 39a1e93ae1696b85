"""First policies from the configuration files of guardrails: what they check, and what could not be carried over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


class UnreadableConfig(ValueError):
    """Configuration that is not one of the guardrails that were named; the message says why."""


@dataclass(slots=True)
class ImportedGuardrails:
    """Guardrails of a configuration as clauses with one check each."""

    clauses: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """By id of a clause, its title and its check."""
    left_out: list[str] = field(default_factory=list)
    """What of the configuration could not be carried over, in sentences."""

    def add(self, title: str, check: dict[str, Any]) -> None:
        """Add a clause, under an id of its own."""
        base = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "guardrail"
        same = sum(1 for id_ in self.clauses if re.fullmatch(rf"{base}(_\d+)?", id_))
        self.clauses[f"{base}_{same + 1}" if same else base] = (title, check)


def import_openai_guardrails(path: Path) -> ImportedGuardrails:
    """Return the guardrails of a pipeline of OpenAI Guardrails, as their wizard writes it.

    Raises:
        UnreadableConfig: it is not one.
    """
    document = _read(path, json.loads)
    imported = ImportedGuardrails()
    stages = {"pre_flight": "input", "input": "input", "output": "output"}
    if not any(isinstance(document.get(stage), Mapping) for stage in stages):
        raise UnreadableConfig("it has none of pre_flight, input and output")
    for theirs, ours in stages.items():
        bundle = document.get(theirs) or {}
        if not isinstance(bundle, Mapping) or not _are(bundle.get("guardrails"), Mapping):
            raise UnreadableConfig(f"the guardrails of {theirs} are not a list of objects")
        for each in bundle.get("guardrails") or ():
            check = {"guardrail": str(each.get("name")), "config": each.get("config") or {}, "stage": ours}
            imported.add(f"{each.get('name')} ({theirs})", {"openai_guardrails": check})
        settings = bundle.get("config") or ()
        imported.left_out += [f"{theirs}.config.{key}: the engine runs checks by itself." for key in settings]
    if document.get("pre_flight"):
        imported.left_out.append("pre_flight: its guardrails run at the stage 'input', as those of input do.")
    return imported


_NEMO_SIDES = ("input", "output")
_NEMO_REASONS = {
    "models": "checks use them through the folder, and the application's own model is not changed.",
    "dialog": "rails of a dialog lead the conversation and decide no text.",
    "retrieval": "rails of retrieval read documents before they are in a message.",
    "execution": "rails of execution run actions; limit tools with `tools`.",
    "tool_input": "rails of tools have no check here; limit tools with `tools`.",
    "tool_output": "rails of tools have no check here; limit tools with `tools`.",
}


def import_nemo(path: Path) -> ImportedGuardrails:
    """Return the input and output rails of a configuration of NeMo Guardrails, a folder or its ``config.yml``.

    Raises:
        UnreadableConfig: it is not one.
    """
    file = next((each for each in (path / "config.yml", path / "config.yaml") if each.exists()), path)
    document, imported = _read(file, yaml.safe_load), ImportedGuardrails()
    rails = document.get("rails") or {}
    if not isinstance(rails, Mapping):
        raise UnreadableConfig("its rails are not a mapping")
    for side in _NEMO_SIDES:
        listed = rails.get(side) or {}
        if not isinstance(listed, Mapping) or not _are(listed.get("flows"), str):
            raise UnreadableConfig(f"the flows of its {side} rails are not a list of names")
        for flow in listed.get("flows") or ():
            check = {"config": path.as_posix(), "stage": side, "rails": [flow]}
            imported.add(f"{flow} ({side})", {"nemo": check})
    used = {*_NEMO_SIDES, "config"}
    others = [*(key for key in document if key != "rails"), *(key for key in rails if key not in used)]
    imported.left_out += [f"{key}: {_NEMO_REASONS.get(key, 'no check reads it.')}" for key in others]
    return imported


IMPORTERS: Mapping[str, Callable[[Path], ImportedGuardrails]] = {
    "nemo": import_nemo,
    "openai-guardrails": import_openai_guardrails,
}
"""By the name of the guardrails, the function that reads their configuration."""


def spec_text(imported: ImportedGuardrails, name: str) -> str:
    """Return a specification with a clause for each guardrail, to be put in words by whoever answers for it."""
    clauses = (
        f"\n## {title} {{#{id_} authority=developer}}\n\nThe guardrail {title!r} has nothing to object to.\n"
        for id_, (title, _) in imported.clauses.items()
    )
    return f"# Guardrails of {name} {{#guardrails}}\n{''.join(clauses)}"


def policy_text(imported: ImportedGuardrails, spec: str) -> str:
    """Return a policy that observes, with what could not be carried over as comments."""
    notes = [f"#   {note}\n" for note in imported.left_out]
    head = ["# Not carried over:\n", *notes] if notes else []
    clauses = (
        f"  {id_}:\n    checks:\n      - {json.dumps(check, ensure_ascii=False)}\n"
        for id_, (_, check) in imported.clauses.items()
    )
    return "".join([*head, f"spec: {json.dumps(spec)}\nmode: observe\nclauses:\n", *clauses])


def _are(items: Any, kind: type) -> bool:
    return items is None or (isinstance(items, list) and all(isinstance(each, kind) for each in items))


def _read(path: Path, parse: Callable[[str], Any]) -> Mapping[str, Any]:
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableConfig(f"it cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError, RecursionError):
        raise UnreadableConfig("it cannot be parsed") from None
    if not isinstance(document, Mapping):
        raise UnreadableConfig("it is not a mapping")
    return document
