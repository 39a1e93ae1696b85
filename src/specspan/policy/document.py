"""A policy file as it is written: YAML of which every value knows its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from specspan.documents.node import Limits, Node
from specspan.documents.yaml_text import read_yaml
from specspan.errors import PolicyError, Problem
from specspan.textfile import read_text_file

MAX_BYTES = 1 << 20
LIMITS = Limits(max_weight=4_000_000)


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read."""

    root: Node
    """A mapping."""
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""
    source: str


def read_document(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises:
        PolicyError: it cannot be opened, is no UTF-8 text or no YAML, or uses what is not read here.
    """
    file = read_text_file(path, what="policy", max_bytes=MAX_BYTES, error=PolicyError)
    root = read_yaml(file.source, file.text, error=PolicyError, limits=LIMITS)
    if root is None:
        remedy = "Write a policy; `specspan policy init SPEC` gives a first one."
        raise PolicyError(file.source, Problem("is empty", remedy))
    if not isinstance(root.value, dict):
        raise PolicyError(
            file.source, Problem("the top is no mapping", "Start with 'spec:' and 'clauses:'.", root.line)
        )
    return Document(root, file.digest, file.source)
