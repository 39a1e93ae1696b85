"""From a policy file to a `Policy`: everything checked against the spec, every check built, or every problem named."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from os import PathLike
from pathlib import Path

from pydantic import ValidationError

from specspan.checks.base import Check, CheckKindModule
from specspan.checks.registry import kinds as registered_kinds
from specspan.decision import Override
from specspan.documents.paths import PathTo, key_of
from specspan.documents.translation import translated
from specspan.errors import PolicyError, Problem, SpecError
from specspan.policy.against_spec import clause_problem, override_problem
from specspan.policy.building import Builder
from specspan.policy.document import Document, read_document
from specspan.policy.model import ClausePolicy, Objective, Policy
from specspan.policy.schema import ClauseEntry, DefaultsEntry, PolicyFile
from specspan.problems import Problems
from specspan.spec.catalogue import pinned
from specspan.spec.find import find_spec
from specspan.spec.load import load_spec
from specspan.spec.model import Clause, Spec

DEFAULT_REPLACEMENT = "[withheld]"
"""What stands in place of a text under ``action: replace`` when the policy gives no ``replacement``."""


def load_policy(
    path: str | PathLike[str], *, kinds: Mapping[str, CheckKindModule] | None = None, spec: Spec | None = None
) -> Policy:
    """Load a policy file and the spec it names.

    Args:
        path: the policy file.
        kinds: kinds of check by their key; None for every one that is registered.
        spec: a version to load it with in place of the one it names, pinned or not.

    Raises:
        PolicyError: the policy is refused. It names every problem with line, key and remedy.
    """
    document = read_document(Path(path))
    return _Loading(document, registered_kinds() if kinds is None else kinds, spec).load()


class _Loading:
    """One file on its way. What is wrong is noted, and the rest is looked at all the same."""

    def __init__(self, document: Document, kinds: Mapping[str, CheckKindModule], given: Spec | None) -> None:
        self._document = document
        self._root = document.root
        self._given = given
        self._problems = Problems(document.source, PolicyError)
        self._builder = Builder(document.root, kinds, self._problems)
        self._unsound: list[PathTo] = []

    def load(self) -> Policy:
        file = self._file()
        spec = self._given or self._spec()
        if spec is not None:
            self._clauses(spec)
            self._overrides(spec)
        checks = {clause_id: self._builder.build(clause_id) for clause_id in self._under("clauses")}
        if file is None or spec is None:
            raise self._problems.error()
        self._problems.refuse()
        return _assembled(file, spec, checks, self._document)

    def _file(self) -> PolicyFile | None:
        """The file as its models see it; None when they refuse it."""
        try:
            return PolicyFile.model_validate_json(json.dumps(self._root.value))
        except ValidationError as error:
            for path, message, remedy in translated(error, PolicyFile.model_json_schema()):
                self._unsound.append(path)
                self._note(path, message, remedy)
        return None

    def _spec(self) -> Spec | None:
        if "spec" not in self._root.children or not self._sound(("spec",)):
            return None
        entry = self._root.value["spec"]
        path, digest = (entry, None) if isinstance(entry, str) else (entry["path"], entry.get("digest"))
        try:
            spec = load_spec(find_spec(path, Path(self._document.source).parent))
        except SpecError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                self._note(("spec",), f"{where}: {problem.message}", problem.remedy)
            return None
        if digest is not None and spec.digest != digest:
            remedy = f"Restore the pinned text, or read what changed and pin {spec.digest}."
            self._note(("spec", "digest"), f"{path} is another text than the pinned one", remedy)
        return spec

    def _clauses(self, spec: Spec) -> None:
        for clause_id in self._under("clauses"):
            problem = clause_problem(spec, clause_id)
            if problem is not None:
                self._note(("clauses", clause_id), *problem)

    def _overrides(self, spec: Spec) -> None:
        entries = self._root.children.get("overrides")
        for index, node in entries.children.items() if entries is not None else ():
            if self._sound(("overrides", index)):
                override = Override(node.value["clause"], node.value["by"], node.value["reason"])
                if problem := override_problem(spec, override):
                    key, message, remedy = problem
                    self._note(("overrides", index, key), message, remedy)

    def _under(self, key: str) -> Iterator[str]:
        """The keys of the mapping under a key of the top; none when it is no mapping."""
        node = self._root.children.get(key)
        return iter(node.value if node is not None and isinstance(node.value, dict) else ())

    def _sound(self, path: PathTo) -> bool:
        """Whether the models found nothing wrong at ``path`` or below it."""
        return not any(unsound[: len(path)] == path or path[: len(unsound)] == unsound for unsound in self._unsound)

    def _note(self, path: PathTo, message: str, remedy: str) -> None:
        self._problems.add(Problem(message, remedy, self._root.at(path).line if path else None, key_of(path)))


def _assembled(file: PolicyFile, spec: Spec, checks: Mapping[str, tuple[Check, ...]], document: Document) -> Policy:
    return Policy(
        spec=spec,
        mode=file.mode,
        digest=document.digest,
        clauses={
            clause_id: _bound(spec.clauses[clause_id], entry, file.defaults, checks[clause_id])
            for clause_id, entry in file.clauses.items()
        },
        overrides=tuple(Override(entry.clause, entry.by, entry.reason, entry.until) for entry in file.overrides),
        source=document.source,
        pin=file.spec.digest or _edition_digest(file.spec.path),
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
