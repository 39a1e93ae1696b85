"""Sources of a policy: the named file, the files below it that ``extends`` names, and the specs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from specspan.documents.node import Node, PathTo
from specspan.errors import PolicyError, Problem, SpecError
from specspan.policy.file import AddProblem, PolicyDocument, read_document
from specspan.policy.policy import Layer
from specspan.policy.schema import is_line
from specspan.spec.read import find_spec, load_spec
from specspan.spec.spec import Spec

MAX_LAYERS = 8
"""Number of files that may extend one another: to know what is in force, a person has to read them all."""


def read_layers(path: Path) -> tuple[PolicyDocument, ...]:
    """Return the files of a policy, the one at ``path`` last: each overrules those before it.

    Raises:
        PolicyError: one of them cannot be read, they extend one another in a circle, or there are too many.
    """
    documents = [read_document(path)]
    while base := _base_path(documents[-1]):
        _refuse_circle(documents, base)
        try:
            documents.append(read_document(base))
        except PolicyError as error:
            raise PolicyError(documents[0].source, *_base_problems(documents, error)) from error
    return tuple(reversed(documents))


def digest_of(layers: Sequence[Layer], environment: str | None) -> str:
    """Return the digest of the policy that these files make in an environment.

    One file without differences between environments has its own digest. Otherwise it is the SHA-256 of a line for each
    layer, its digest, the weakest first, and then the line ``environment: NAME`` where one was chosen.
    """
    if len(layers) == 1 and environment is None:
        return layers[0].digest
    lines = [layer.digest for layer in layers] + ([] if environment is None else [f"environment: {environment}"])
    text = "".join(f"{line}\n" for line in lines)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def _base_path(document: PolicyDocument) -> Path | None:
    """Return the file that a document extends; None where it names none, or nothing that could be a path."""
    extends = document.root.value.get("extends")
    return Path(document.source).parent / extends if isinstance(extends, str) and is_line(extends) else None


def _refuse_circle(documents: Sequence[PolicyDocument], base: Path) -> None:
    sources = [document.source for document in documents]
    if os.path.realpath(base) in map(os.path.realpath, sources):
        message = f"the files extend one another in a circle: {' extends '.join([*sources, os.fspath(base)])}"
        raise PolicyError(sources[0], _extends_problem(documents, message, "Remove one 'extends'."))
    if len(documents) == MAX_LAYERS:
        message = f"a policy has at most {MAX_LAYERS} files that extend one another, and this is one more"
        raise PolicyError(sources[0], _extends_problem(documents, message, "Put some of them together."))


def _base_problems(documents: Sequence[PolicyDocument], error: PolicyError) -> Iterable[Problem]:
    """Yield the problems of a base where they stand; a base that cannot be read is reported where it is extended."""
    for problem in error.problems:
        if problem.line is None:
            yield _extends_problem(documents, f"{error.source}: {problem.message}", problem.remedy)
        else:
            yield replace(problem, source=problem.source or error.source)


def _extends_problem(documents: Sequence[PolicyDocument], message: str, remedy: str) -> Problem:
    last = documents[-1]
    source = None if last is documents[0] else last.source
    return Problem(message, remedy, last.root.at(("extends",)).line, "extends", source)


class SpecLoader:
    """Loader of the specs under ``spec`` or ``specs``: pinned texts are compared, and ids told apart."""

    def __init__(self, root: Node, folder: Path, add_problem: AddProblem, is_valid: Callable[[PathTo], bool]) -> None:
        """Take the document and two callbacks of its layer.

        ``folder`` is where paths start. ``is_valid`` returns whether no problem was found at a path.
        """
        self._root = root
        self._folder = folder
        self._add_problem = add_problem
        self._is_valid = is_valid

    def load(self, given: Spec | None) -> tuple[Spec, ...] | None:
        """Return the specs, or None when one is wrong. ``given`` replaces the only one, or the one of its id."""
        top = self._root.children
        if "specs" not in top:
            if given is None:
                return self._load_all((("spec",),))
            return (given,) if self._is_valid(("spec",)) else None
        if "spec" in top:
            self._add_problem(("spec",), "'spec' and 'specs' are both given", "Keep one of the two.")
        specs = self._load_all([("specs", index) for index in top["specs"].children])
        return specs if specs is None or given is None else self._replace(given, specs)

    def _replace(self, given: Spec, specs: Sequence[Spec]) -> tuple[Spec, ...]:
        if given.id not in {spec.id for spec in specs}:
            self._add_problem(("specs",), f"names no spec {given.id!r}", f"Add the path of {given.id!r}.")
        return tuple(given if spec.id == given.id else spec for spec in specs)

    def _load_all(self, paths: Sequence[PathTo]) -> tuple[Spec, ...] | None:
        if not paths:
            if self._is_valid(("specs",)):
                self._add_problem(("specs",), "names no spec", "Write a list of paths.")
            return None
        loaded = [(path, self._load_one(path)) for path in paths]
        specs: dict[str, Spec] = {}
        for path, spec in loaded:
            if spec is not None and spec.id in specs:
                self._add_problem(path, f"duplicate spec id {spec.id!r}", "Give one of the two another id.")
            elif spec is not None:
                specs[spec.id] = spec
        return tuple(specs.values()) if len(specs) == len(loaded) else None

    def _load_one(self, path: PathTo) -> Spec | None:
        if not self._is_valid(path):
            return None
        file, digest = _path_and_digest(self._root.at(path).value)
        try:
            spec = load_spec(find_spec(file, self._folder))
        except SpecError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                self._add_problem(path, f"{where}: {problem.message}", problem.remedy)
            return None
        if digest is not None and spec.digest != digest:
            remedy = f"Restore the pinned text, or read what changed and pin {spec.digest}."
            self._add_problem((*path, "digest"), f"{file} is another text than the pinned one", remedy)
        return spec


def _path_and_digest(value: Any) -> tuple[str, str | None]:
    """Return a path, and the digest that its text must have."""
    return (value, None) if isinstance(value, str) else (value["path"], value.get("digest"))
