"""From a policy file to a `Policy`: everything checked against the spec, every check built, or every problem named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path

from specspan.checks.base import Check, CheckKindModule
from specspan.checks.registry import kinds as registered_kinds
from specspan.decision import Override
from specspan.errors import PolicyError, SpecError
from specspan.policy.document import Document
from specspan.policy.layer import ENVIRONMENTS, LayerReading
from specspan.policy.layers import digest_of, read_layers
from specspan.policy.merging import merged
from specspan.policy.model import ClausePolicy, Layer, Objective, Policy
from specspan.policy.schema import ClauseEntry, DefaultsEntry, SpecEntry
from specspan.problems import Problems
from specspan.spec.catalogue import pinned
from specspan.spec.find import find_spec
from specspan.spec.load import load_spec
from specspan.spec.model import Clause, Spec
from specspan.wording import did_you_mean, listed, shown

DEFAULT_REPLACEMENT = "[withheld]"
"""What stands in place of a text under ``action: replace`` when the policy gives no ``replacement``."""


def load_policy(
    path: str | PathLike[str],
    *,
    kinds: Mapping[str, CheckKindModule] | None = None,
    spec: Spec | None = None,
    environment: str | None = None,
) -> Policy:
    """Load a policy file, those that it extends, and the spec they name.

    Args:
        path: the policy file.
        kinds: kinds of check by their key; None for every one that is registered.
        spec: a version to load it with in place of the one it names, pinned or not.
        environment: where it is to hold; None for what holds without one. It counts only where the files tell
            environments apart, and is then one of theirs.

    Raises:
        PolicyError: the policy is refused. It names every problem with file, line, key and remedy, also those under
            environments that it is not loaded for.
    """
    documents = read_layers(Path(path))
    return _Loading(documents, registered_kinds() if kinds is None else kinds, spec, environment).load()


class _Loading:
    """The files of one policy on their way. What is wrong is noted, and the rest is looked at all the same."""

    def __init__(
        self,
        documents: Sequence[Document],
        kinds: Mapping[str, CheckKindModule],
        given: Spec | None,
        environment: str | None,
    ) -> None:
        top = documents[-1].source
        self._problems = Problems(top, PolicyError)
        self._layers = [LayerReading(document, kinds, self._problems, top) for document in documents]
        self._top = self._layers[-1]
        self._naming = next((layer for layer in reversed(self._layers) if layer.names_spec()), None)
        self._given = given
        self._environment = environment

    def load(self) -> Policy:
        environment = self._known_environment()
        spec = self._given or self._spec()
        if spec is not None:
            for layer in self._layers:
                layer.hold_against(spec)
        if self._naming is None:
            self._top.note(("spec",), "'spec' is missing", "Add 'spec: …'.")
        self._problems.refuse()
        if spec is None or self._naming is None or self._naming.file is None or self._naming.file.spec is None:
            raise self._problems.error()
        return _assembled(self._layers, self._naming.file.spec, spec, environment)

    def _known_environment(self) -> str | None:
        """The environment, where the files tell environments apart."""
        known = list(dict.fromkeys(name for layer in self._layers for name in layer.environments()))
        if not known or self._environment is None:
            return None
        if self._environment not in known:
            message = f"{shown(self._environment)} is none of the environments here, {listed(known)}"
            add = "Add it here, with nothing under it where nothing differs."
            self._top.note((ENVIRONMENTS,), message, did_you_mean(self._environment, known, add))
        return self._environment

    def _spec(self) -> Spec | None:
        layer = self._naming
        if layer is None or not layer.sound(("spec",)):
            return None
        entry = layer.document.root.value["spec"]
        path, digest = (entry, None) if isinstance(entry, str) else (entry["path"], entry.get("digest"))
        try:
            spec = load_spec(find_spec(path, Path(layer.document.source).parent))
        except SpecError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                layer.note(("spec",), f"{where}: {problem.message}", problem.remedy)
            return None
        if digest is not None and spec.digest != digest:
            remedy = f"Restore the pinned text, or read what changed and pin {spec.digest}."
            layer.note(("spec", "digest"), f"{path} is another text than the pinned one", remedy)
        return spec


def _assembled(readings: Sequence[LayerReading], named: SpecEntry, spec: Spec, environment: str | None) -> Policy:
    general = (reading.part() for reading in readings)
    special = (reading.part(environment) for reading in readings if environment is not None)
    whole = merged(part for part in (*general, *special) if part is not None)
    layers = tuple(Layer(reading.document.source, reading.document.digest) for reading in readings)
    return Policy(
        spec=spec,
        mode=whole.mode,
        digest=digest_of(layers, environment),
        clauses={
            clause_id: _bound(spec.clauses[clause_id], entry, whole.defaults, whole.checks[clause_id])
            for clause_id, entry in whole.clauses.items()
        },
        overrides=tuple(Override(entry.clause, entry.by, entry.reason, entry.until) for entry in whole.overrides),
        source=layers[-1].source,
        pin=named.digest or _edition_digest(named.path),
        layers=layers,
        environment=environment,
    )


def _edition_digest(reference: str) -> str | None:
    """The digest that ``name@version`` of the catalogue stands for; None for a path."""
    with suppress(SpecError):  # no such version: told where the spec is looked for
        edition = pinned(reference)
        return None if edition is None else edition.digest
    return None


def _bound(clause: Clause, entry: ClauseEntry, defaults: DefaultsEntry, checks: tuple[Check, ...]) -> ClausePolicy:
    return ClausePolicy(
        clause=clause,
        severity=entry.severity or defaults.severity,
        action=entry.action or defaults.action,
        on_error=entry.on_error or defaults.on_error,
        checks=checks,
        replacement=DEFAULT_REPLACEMENT if entry.replacement is None else entry.replacement,
        objective=None if entry.objective is None else Objective(entry.objective.target, entry.objective.window),
    )
