"""The files of a policy: the one that was named, and those that it builds on with ``extends``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from specspan.errors import PolicyError, Problem
from specspan.policy.document import Document, read_document
from specspan.policy.model import Layer
from specspan.policy.schema import is_line

MAX_LAYERS = 8
"""Whoever wants to know what is in force has to read them all."""


def read_layers(path: Path) -> tuple[Document, ...]:
    """The files of a policy, the one at ``path`` last: each holds over those before it.

    Raises:
        PolicyError: one of them cannot be read, or they go round in a circle, or there are too many.
    """
    documents = [read_document(path)]
    while base := _base(documents[-1]):
        _refuse_circle(documents, base)
        try:
            documents.append(read_document(base))
        except PolicyError as error:
            raise PolicyError(documents[0].source, *_seen_from(documents, error)) from error
    return tuple(reversed(documents))


def digest_of(layers: Sequence[Layer], environment: str | None) -> str:
    """What names the policy that these files make in an environment.

    One file that makes no difference between environments: its own digest. Else the SHA-256 of a line for each layer,
    its digest, the weakest first, and then the line ``environment: NAME`` where one was chosen.
    """
    if len(layers) == 1 and environment is None:
        return layers[0].digest
    lines = [layer.digest for layer in layers] + ([] if environment is None else [f"environment: {environment}"])
    text = "".join(f"{line}\n" for line in lines)
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def _base(document: Document) -> Path | None:
    """The file that a document extends; None where it says nothing, or nothing that could be a path."""
    extends = document.root.value.get("extends")
    return Path(document.source).parent / extends if isinstance(extends, str) and is_line(extends) else None


def _refuse_circle(documents: Sequence[Document], base: Path) -> None:
    way = [document.source for document in documents]
    if os.path.realpath(base) in map(os.path.realpath, way):
        message = f"goes round in a circle: {' extends '.join([*way, os.fspath(base)])}"
        raise PolicyError(way[0], _at_extends(documents, message, "Remove one 'extends'."))
    if len(documents) == MAX_LAYERS:
        message = f"a policy has at most {MAX_LAYERS} files that extend one another, and this is one more"
        raise PolicyError(way[0], _at_extends(documents, message, "Put some of them together."))


def _seen_from(documents: Sequence[Document], error: PolicyError) -> Iterable[Problem]:
    """What is wrong in a base is told where it stands; that all of it cannot be read, where it is extended."""
    for problem in error.problems:
        if problem.line is None:
            yield _at_extends(documents, f"{error.source}: {problem.message}", problem.remedy)
        else:
            yield replace(problem, source=problem.source or error.source)


def _at_extends(documents: Sequence[Document], message: str, remedy: str) -> Problem:
    last = documents[-1]
    source = None if last is documents[0] else last.source
    return Problem(message, remedy, last.root.at(("extends",)).line, "extends", source)
