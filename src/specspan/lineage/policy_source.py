"""Files of a policy as they were when it decided: found by digest, with the lines at which a clause is bound."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from specspan.documents.node import PathTo
from specspan.errors import ConfigurationError
from specspan.policy.file import PolicyDocument, read_document
from specspan.policy.load import load_policy
from specspan.policy.policy import CheckBinding, Policy

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """Place in a file of a policy."""

    file: str
    line: int
    what: str
    """``clause``, or ``check`` and its kind."""
    definition: str | None = None
    """Digest of the definition of a check."""


@dataclass(frozen=True, slots=True)
class PolicySource:
    """Policy that decided, as far as its files are at hand."""

    policy: Policy | None
    """Policy, loaded; None where its files are gone, have changed, or are refused by now."""
    documents: Sequence[PolicyDocument]
    """Files whose bytes are those of then."""
    lacks: Sequence[str]
    """What is missing, in sentences."""

    def lines(self, clause: str) -> Iterator[PolicyLine]:
        """Yield the places at which the files bind a clause, and each of its checks."""
        definitions = self._definitions(clause)
        for document in self.documents:
            for part in _parts(document):
                node = document.root.find((*part, "clauses", clause))
                if node is None:
                    continue
                yield PolicyLine(document.source, node.line, "clause")
                for key in ("checks", "checks+"):
                    entries = document.root.find((*part, "clauses", clause, key))
                    for each in entries.children.values() if entries is not None else ():
                        kind = next(iter(each.value), "") if isinstance(each.value, dict) else ""
                        yield PolicyLine(document.source, each.line, f"check {kind}", next(definitions, None))

    def bindings(self, clause: str) -> Sequence[CheckBinding]:
        """Return the checks of a clause."""
        bound = None if self.policy is None else self.policy.clauses.get(clause)
        return () if bound is None else bound.checks

    def _definitions(self, clause: str) -> Iterator[str | None]:
        return (binding.definition for binding in self.bindings(clause))


def find_policy(recorded: Record | None, digest: str, given: Path | None) -> PolicySource:
    """Return the policy of a digest, from the files that its record names or from one that a user gives.

    Args:
        recorded: the record of the policy; None where it is missing.
        digest: digest of the policy, as the decision names it.
        given: file of the policy; None for those that the record names.
    """
    named = (recorded or {}).get("policy") or {}
    layers = named.get("layers") or []
    documents, lacks = list[PolicyDocument](), list[str]()
    for layer in layers:
        file = Path(str(layer.get("source")))
        if given is not None and given.name == file.name:
            file = given
        document = _document(file, str(layer.get("digest")))
        if document is None:
            lacks.append(f"The policy's file {str(file)!r} is not here as it was then; --policy names another place.")
        else:
            documents.append(document)
    if given is None and not layers:
        return PolicySource(None, documents, ["The record of the policy is missing, so that nobody knows its files."])
    path = Path(str(layers[-1].get("source"))) if given is None else given
    try:
        policy = load_policy(path, environment=named.get("environment"))
    except ConfigurationError as error:
        return PolicySource(None, documents, [*lacks, f"The policy no longer loads: {error}"])
    if policy.digest != digest:
        lacks = lacks or [f"{str(path)!r} is another policy by now: {policy.digest}, not {digest}."]
        return PolicySource(None, documents, lacks)
    return PolicySource(policy, documents, lacks)


def _document(path: Path, digest: str) -> PolicyDocument | None:
    try:
        if f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" != digest:
            return None
        return read_document(path)
    except (OSError, ConfigurationError):
        return None


def _parts(document: PolicyDocument) -> Iterator[PathTo]:
    """Yield the paths of the settings of a file: those for all environments, and of each."""
    yield ()
    environments = document.root.find(("environments",))
    for name in environments.children if environments is not None else ():
        yield "environments", name
