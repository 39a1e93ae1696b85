"""One file of a policy: read as YAML with lines, validated, its checks built, and checked against the specs.

Problems are reported with the file's own lines, whichever files it builds on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from specspan._support.files import read_text_file
from specspan._support.messages import Problems, as_sentence, did_you_mean, format_value, quoted_list
from specspan.checks.check import CheckConfigError, CheckKindModule
from specspan.documents.node import Limits, Node, PathTo, key_of
from specspan.documents.validation import describe_errors, keys_at
from specspan.documents.yaml import read_yaml
from specspan.errors import PolicyError, Problem
from specspan.policy.authority import Authority, Order, build_order, order_problems
from specspan.policy.policy import CheckBinding
from specspan.policy.schema import EnvironmentEntry, LimitsEntry, OverrideEntry, PolicyFile, bind
from specspan.policy.spec_problems import clause_problem, override_problem
from specspan.spec.spec import Spec

MAX_BYTES = 1 << 20
LIMITS = Limits(max_weight=4_000_000)
ENVIRONMENTS = "environments"
_CHECKS = ("checks", "checks+")
AddProblem = Callable[[PathTo, str, str], None]
"""Callback that takes the path to a problem, the message and the remedy."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """Policy file that was read."""

    root: Node
    """Mapping at the top of the file."""
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""
    source: str


def read_document(path: Path) -> PolicyDocument:
    """Read a YAML file whose top is a mapping.

    Raises:
        PolicyError: the file cannot be opened, is not UTF-8 or not YAML, or uses a feature that is not read here.
    """
    file = read_text_file(path, what="policy", max_bytes=MAX_BYTES, error=PolicyError)
    root = read_yaml(file.source, file.text, error=PolicyError, limits=LIMITS)
    if root is None:
        remedy = "Write a policy; `specspan policy init SPEC` gives a first one."
        raise PolicyError(file.source, Problem("is empty", remedy))
    if not isinstance(root.value, dict):
        raise PolicyError(
            file.source, Problem("the top is not a mapping", "Start with 'spec:' and 'clauses:'.", root.line)
        )
    return PolicyDocument(root, file.digest, file.source)


@dataclass(frozen=True, slots=True)
class LayerPart:
    """Settings of one file for all environments, or for one of them."""

    entry: EnvironmentEntry
    checks: Mapping[str, tuple[CheckBinding, ...]]
    """Checks by clause, those under ``checks`` or ``checks+``, of which only one is given."""


class LayerReader:
    """Reader of one file that reports problems and goes on with the rest."""

    def __init__(
        self, document: PolicyDocument, kinds: Mapping[str, CheckKindModule], problems: Problems, top: str
    ) -> None:
        """Read a document. ``problems`` belong to all files of the policy; ``top`` is the path of the named file."""
        self.document = document
        self._root = document.root
        self._source = None if document.source == top else document.source
        self._problems = problems
        self._builder = CheckBuilder(document.root, kinds, self.add_problem)
        self._invalid_paths: list[PathTo] = []
        self.file = self._validate()
        """File as its models see it; None when they refuse it."""
        self._checks = {part: self._build_checks(part) for part in self._parts()}

    def has_key(self, *keys: str) -> bool:
        """Return whether the file has one of these keys at the top."""
        return any(key in self._root.children for key in keys)

    def environments(self) -> Iterator[str]:
        """Return the environments in which the file differs."""
        return self._keys_under((ENVIRONMENTS,))

    def part(self, environment: str | None = None) -> LayerPart | None:
        """Return the settings for all environments or, of a file without problems, for the one that is named."""
        if self.file is None:
            return None
        if environment is None:
            return LayerPart(self.file, self._checks[()])
        entry = self.file.environments.get(environment)
        return None if entry is None else LayerPart(entry, self._checks[ENVIRONMENTS, environment])

    def order(self, specs: Sequence[Spec]) -> Order | None:
        """Return the order of the levels of ``specs``, empty where the file gives none; None where it is wrong."""
        if not self.is_valid(("order",)):
            return None
        entries = self._root.value.get("order", [])
        problems = list(order_problems(specs, entries))
        for below, message, remedy in problems:
            self.add_problem(("order", *below), message, remedy)
        return None if problems else build_order(specs, entries)

    def check_against(self, authority: Authority) -> None:
        """Report settings that contradict the specs, in whichever environment."""
        for part in self._parts():
            self._check_clauses(authority, (*part, "clauses"))
            for key in ("overrides", "overrides+"):
                self._check_overrides(authority, (*part, key))

    def is_valid(self, path: PathTo) -> bool:
        """Return whether the models found no problem at ``path`` or below it."""
        return not any(
            invalid[: len(path)] == path or path[: len(invalid)] == invalid for invalid in self._invalid_paths
        )

    def add_problem(self, path: PathTo, message: str, remedy: str) -> None:
        """Report a problem at ``path``."""
        line = self._root.at(path).line if path else None
        self._problems.add(Problem(message, remedy, line, key_of(path), self._source))

    def _validate(self) -> PolicyFile | None:
        try:
            return PolicyFile.model_validate_json(json.dumps(self._root.value))
        except ValidationError as error:
            for path, message, remedy in describe_errors(error, PolicyFile.model_json_schema()):
                self._invalid_paths.append(path)
                self.add_problem(path, message, remedy)
        return None

    def _parts(self) -> list[PathTo]:
        return [(), *((ENVIRONMENTS, name) for name in self.environments())]

    def _build_checks(self, part: PathTo) -> dict[str, tuple[CheckBinding, ...]]:
        clauses = (*part, "clauses")
        return {
            clause_id: tuple(
                check for key in _CHECKS for check in self._builder.build(clause_id, (*clauses, clause_id, key))
            )
            for clause_id in self._keys_under(clauses)
        }

    def _check_clauses(self, authority: Authority, path: PathTo) -> None:
        seen = dict[str, str]()
        for written in self._keys_under(path):
            problem = clause_problem(authority, written)
            if problem is None:
                first = seen.setdefault(authority.find_clauses(written)[0], written)
                problem = None if first == written else (f"names the clause {first!r} again", "Keep one of the two.")
            if problem is not None:
                self.add_problem((*path, written), *problem)

    def _check_overrides(self, authority: Authority, path: PathTo) -> None:
        entries = self._root.find(path)
        for index, node in entries.children.items() if entries is not None else ():
            if self.is_valid((*path, index)):
                override = OverrideEntry.model_validate_json(json.dumps(node.value)).override
                if problem := override_problem(authority, override):
                    key, message, remedy = problem
                    self.add_problem((*path, index, key), message, remedy)

    def _keys_under(self, path: PathTo) -> Iterator[str]:
        """Return the keys of the mapping at ``path``; none where the value has another shape."""
        node = self._root.find(path)
        return iter(node.value if node is not None and isinstance(node.value, dict) else ())


class CheckBuilder:
    """Builder of checks of the known kinds; it reports those that cannot be built."""

    def __init__(self, root: Node, kinds: Mapping[str, CheckKindModule], add_problem: AddProblem) -> None:
        self._root = root
        self._kinds = kinds
        self._add_problem = add_problem

    def build(self, clause_id: str, path: PathTo) -> tuple[CheckBinding, ...]:
        """Return the checks of one clause at ``path``. The schema reports a value that is not a list of mappings."""
        entries = self._root.find(path)
        if entries is None or not isinstance(entries.value, list):
            return ()
        built = [self._build_entry(clause_id, (*path, index), node) for index, node in entries.children.items()]
        return tuple(check for check in built if check is not None)

    def _build_entry(self, clause_id: str, path: PathTo, node: Node) -> CheckBinding | None:
        if not isinstance(node.value, dict):
            return None
        kind, configuration = next(iter(node.value.items()), ("", None))
        if len(node.value) != 1:
            message = f"a check has one kind, here it has {quoted_list(node.value) or 'none'}"
            self._add_problem(
                path, message, "Start each check with '- ' and its kind, and indent the rest under the kind."
            )
        elif kind not in self._kinds:
            remedy = did_you_mean(kind, self._kinds, f"The kinds are {quoted_list(sorted(self._kinds))}.")
            self._add_problem(path, f"unknown kind of check {format_value(kind)}", remedy)
        else:
            return self._build_one(self._kinds[kind], clause_id, (*path, kind), configuration)
        return None

    def _build_one(
        self, kind: CheckKindModule, clause_id: str, path: PathTo, configuration: Any
    ) -> CheckBinding | None:
        try:
            ours, configuration = _split_limits(kind, configuration)
            if "timeout" in ours and "timeout_s" in configuration:
                raise CheckConfigError("'timeout' and 'timeout_s' are both given", "keep one of the two", "timeout")
            binding = bind(kind.build(clause_id, configuration), LimitsEntry.model_validate(ours))
            return replace(binding, definition=_digest([kind.KIND, configuration]))
        except CheckConfigError as error:
            self._add_problem((*path, *_parse_path(error.key)), error.message, as_sentence(error.remedy))
        except ValidationError as error:
            for below, message, remedy in describe_errors(error, _with_limits(kind.SCHEMA)):
                self._add_problem((*path, *below), message, remedy)
        except Exception as error:  # a kind from a plug-in may raise anything: it refuses the policy
            self._add_problem(
                path, f"the kind failed with {type(error).__name__}: {error}", "Correct what stands under it."
            )
        return None


def _digest(definition: Any) -> str:
    text = json.dumps(definition, sort_keys=True, separators=(",", ":"), default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _split_limits(kind: CheckKindModule, configuration: Any) -> tuple[dict[str, Any], Any]:
    """Return the limits in a check's configuration, and the rest. A limit that the kind itself knows is the kind's."""
    if not isinstance(configuration, dict):
        return {}, configuration
    ours = LimitsEntry.model_fields.keys() - set(keys_at(kind.SCHEMA, ()))
    return (
        {key: value for key, value in configuration.items() if key in ours},
        {key: value for key, value in configuration.items() if key not in ours},
    )


def _with_limits(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema of a kind with the limits, for messages that name the known keys."""
    return {**schema, "anyOf": [*schema.get("anyOf", ()), LimitsEntry.model_json_schema()]}


def _parse_path(key: str | None) -> PathTo:
    """Return ``any[2]`` or ``any.2`` as a path."""
    return tuple(int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", key or ""))
