"""From the ``checks`` of one clause, as the file has them, to checks that run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from specspan.checks.base import Check, CheckConfigError, CheckKindModule
from specspan.documents.node import Node
from specspan.documents.paths import PathTo
from specspan.documents.translation import keys_at, translated
from specspan.policy.limits import LimitsEntry, limited
from specspan.wording import did_you_mean, listed, sentence, shown

Note = Callable[[PathTo, str, str], None]
"""Takes the path to what is wrong, the message and the remedy."""


class Builder:
    """Builds checks with the kinds there are, and notes what cannot be built."""

    def __init__(self, root: Node, kinds: Mapping[str, CheckKindModule], note: Note) -> None:
        self._root = root
        self._kinds = kinds
        self._note = note

    def build(self, clause_id: str, path: PathTo) -> tuple[Check, ...]:
        """The checks of one clause that stand at ``path``. What is no list of mappings is left to the schema."""
        entries = self._root.find(path)
        if entries is None or not isinstance(entries.value, list):
            return ()
        built = [self._entry(clause_id, (*path, index), node) for index, node in entries.children.items()]
        return tuple(check for check in built if check is not None)

    def _entry(self, clause_id: str, path: PathTo, node: Node) -> Check | None:
        if not isinstance(node.value, dict):
            return None
        kind, configuration = next(iter(node.value.items()), ("", None))
        if len(node.value) != 1:
            message = f"a check has one kind, here it has {listed(node.value) or 'none'}"
            self._note(path, message, "Start each check with '- ' and its kind, and indent the rest under the kind.")
        elif kind not in self._kinds:
            remedy = did_you_mean(kind, self._kinds, f"The kinds are {listed(sorted(self._kinds))}.")
            self._note(path, f"{shown(kind)} is no kind of check", remedy)
        else:
            return self._built(self._kinds[kind], clause_id, (*path, kind), configuration)
        return None

    def _built(self, kind: CheckKindModule, clause_id: str, path: PathTo, configuration: Any) -> Check | None:
        try:
            ours, configuration = _apart(kind, configuration)
            if "timeout" in ours and "timeout_s" in configuration:
                raise CheckConfigError("here stand both 'timeout' and 'timeout_s'", "keep one of the two", "timeout")
            return limited(kind.build(clause_id, configuration), LimitsEntry.model_validate(ours))
        except CheckConfigError as error:
            self._note((*path, *_steps(error.key)), error.message, sentence(error.remedy))
        except ValidationError as error:
            for below, message, remedy in translated(error, _with_limits(kind.SCHEMA)):
                self._note((*path, *below), message, remedy)
        except Exception as error:  # a kind from a plug-in: whatever it raises, the policy is what is refused
            self._note(path, f"the kind failed with {type(error).__name__}: {error}", "Correct what stands under it.")
        return None


def _apart(kind: CheckKindModule, configuration: Any) -> tuple[dict[str, Any], Any]:
    """The limits in a check's configuration, and what is the kind's: also a limit that it knows itself."""
    if not isinstance(configuration, dict):
        return {}, configuration
    ours = LimitsEntry.model_fields.keys() - set(keys_at(kind.SCHEMA, ()))
    return (
        {key: value for key, value in configuration.items() if key in ours},
        {key: value for key, value in configuration.items() if key not in ours},
    )


def _with_limits(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a kind, for messages that name the keys there are."""
    return {**schema, "anyOf": [*schema.get("anyOf", ()), LimitsEntry.model_json_schema()]}


def _steps(key: str | None) -> PathTo:
    """``any[2]`` or ``any.2`` as a path."""
    return tuple(int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", key or ""))
