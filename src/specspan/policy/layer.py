"""One file of a policy, checked by itself: what is wrong in it is told with its own lines, whatever it builds on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from specspan.checks.base import Check, CheckKindModule
from specspan.documents.paths import PathTo, key_of
from specspan.documents.translation import translated
from specspan.errors import Problem
from specspan.policy.against_spec import clause_problem, override_problem
from specspan.policy.authority import Authority, Order
from specspan.policy.building import Builder
from specspan.policy.document import Document
from specspan.policy.order import order_of, order_problems
from specspan.policy.schema import EnvironmentEntry, OverrideEntry, PolicyFile
from specspan.problems import Problems
from specspan.spec.model import Spec

ENVIRONMENTS = "environments"
_CHECKS = ("checks", "checks+")


@dataclass(frozen=True, slots=True)
class Part:
    """What one file says for all environments, or for one of them."""

    entry: EnvironmentEntry
    checks: Mapping[str, tuple[Check, ...]]
    """By clause, those under ``checks`` or ``checks+``, of which only one stands there."""


class LayerReading:
    """One file on its way. What is wrong is noted, and the rest is looked at all the same."""

    def __init__(self, document: Document, kinds: Mapping[str, CheckKindModule], problems: Problems, top: str) -> None:
        """``problems`` are those of all files of the policy; ``top`` is the one that was named."""
        self.document = document
        self._root = document.root
        self._source = None if document.source == top else document.source
        self._problems = problems
        self._builder = Builder(document.root, kinds, self.note)
        self._unsound: list[PathTo] = []
        self.file = self._file()
        """The file as its models see it; None when they refuse it."""
        self._checks = {part: self._built(part) for part in self._parts()}

    def says(self, *keys: str) -> bool:
        """Whether it has one of these keys at the top."""
        return any(key in self._root.children for key in keys)

    def environments(self) -> Iterator[str]:
        """The environments in which it says something else."""
        return self._under((ENVIRONMENTS,))

    def part(self, environment: str | None = None) -> Part | None:
        """What it says for all environments or, of a file without problems, for the one that is named."""
        if self.file is None:
            return None
        if environment is None:
            return Part(self.file, self._checks[()])
        entry = self.file.environments.get(environment)
        return None if entry is None else Part(entry, self._checks[ENVIRONMENTS, environment])

    def order(self, specs: Sequence[Spec]) -> Order | None:
        """How the levels of ``specs`` stand together, empty where the file does not say; None, and noted, if wrong."""
        if not self.sound(("order",)):
            return None
        entries = self._root.value.get("order", [])
        problems = list(order_problems(specs, entries))
        for below, message, remedy in problems:
            self.note(("order", *below), message, remedy)
        return None if problems else order_of(specs, entries)

    def hold_against(self, authority: Authority) -> None:
        """Note what the file says of the specs that cannot be, in whichever environment."""
        for part in self._parts():
            self._clauses(authority, (*part, "clauses"))
            for key in ("overrides", "overrides+"):
                self._overrides(authority, (*part, key))

    def sound(self, path: PathTo) -> bool:
        """Whether the models found nothing wrong at ``path`` or below it."""
        return not any(unsound[: len(path)] == path or path[: len(unsound)] == unsound for unsound in self._unsound)

    def note(self, path: PathTo, message: str, remedy: str) -> None:
        """Note a problem with what stands at ``path``."""
        line = self._root.at(path).line if path else None
        self._problems.add(Problem(message, remedy, line, key_of(path), self._source))

    def _file(self) -> PolicyFile | None:
        try:
            return PolicyFile.model_validate_json(json.dumps(self._root.value))
        except ValidationError as error:
            for path, message, remedy in translated(error, PolicyFile.model_json_schema()):
                self._unsound.append(path)
                self.note(path, message, remedy)
        return None

    def _parts(self) -> list[PathTo]:
        return [(), *((ENVIRONMENTS, name) for name in self.environments())]

    def _built(self, part: PathTo) -> dict[str, tuple[Check, ...]]:
        clauses = (*part, "clauses")
        return {
            clause_id: tuple(
                check for key in _CHECKS for check in self._builder.build(clause_id, (*clauses, clause_id, key))
            )
            for clause_id in self._under(clauses)
        }

    def _clauses(self, authority: Authority, path: PathTo) -> None:
        seen = dict[str, str]()
        for written in self._under(path):
            problem = clause_problem(authority, written)
            if problem is None:
                first = seen.setdefault(authority.clauses_called(written)[0], written)
                problem = (
                    None if first == written else (f"is the clause {first!r} a second time", "Keep one of the two.")
                )
            if problem is not None:
                self.note((*path, written), *problem)

    def _overrides(self, authority: Authority, path: PathTo) -> None:
        entries = self._root.find(path)
        for index, node in entries.children.items() if entries is not None else ():
            if self.sound((*path, index)):
                override = OverrideEntry.model_validate_json(json.dumps(node.value)).override
                if problem := override_problem(authority, override):
                    key, message, remedy = problem
                    self.note((*path, index, key), message, remedy)

    def _under(self, path: PathTo) -> Iterator[str]:
        """The keys of the mapping at ``path``; none when it is no mapping."""
        node = self._root.find(path)
        return iter(node.value if node is not None and isinstance(node.value, dict) else ())
