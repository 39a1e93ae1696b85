"""The specs that a policy file names: each read, pinned texts compared, ids told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from specspan.documents.node import Node
from specspan.documents.paths import PathTo
from specspan.errors import SpecError
from specspan.policy.building import Note
from specspan.spec.find import find_spec
from specspan.spec.load import load_spec
from specspan.spec.model import Spec


class NamedSpecs:
    """Reads what stands under ``spec`` or ``specs``."""

    def __init__(self, root: Node, folder: Path, note: Note, sound: Callable[[PathTo], bool]) -> None:
        """``folder``: where paths start. ``sound``: whether nothing was found wrong at a path."""
        self._root = root
        self._folder = folder
        self._note = note
        self._sound = sound

    def read(self, given: Spec | None) -> tuple[Spec, ...] | None:
        """The specs; None when one is wrong. ``given`` takes the place of the only one, or of the one of its id."""
        top = self._root.children
        if "specs" not in top:
            return self._in_place_of_one(given) if given is not None else self._all((("spec",),))
        if "spec" in top:
            self._note(("spec",), "stands beside 'specs'", "Keep one of the two.")
        specs = self._all([("specs", index) for index in top["specs"].children])
        return specs if specs is None or given is None else self._in_place_of_its_id(given, specs)

    def _in_place_of_one(self, given: Spec) -> tuple[Spec, ...] | None:
        return (given,) if self._sound(("spec",)) else None

    def _in_place_of_its_id(self, given: Spec, specs: Sequence[Spec]) -> tuple[Spec, ...]:
        if given.id not in {spec.id for spec in specs}:
            self._note(("specs",), f"names no spec {given.id!r}", f"Add the path of {given.id!r}.")
        return tuple(given if spec.id == given.id else spec for spec in specs)

    def _all(self, paths: Sequence[PathTo]) -> tuple[Spec, ...] | None:
        if not paths:
            if self._sound(("specs",)):
                self._note(("specs",), "names no spec", "Write a list of paths.")
            return None
        found = [(path, self._one(path)) for path in paths]
        specs: dict[str, Spec] = {}
        for path, spec in found:
            if spec is not None and spec.id in specs:
                self._note(path, f"is {spec.id!r}, as another one is", "Give one of the two another id.")
            elif spec is not None:
                specs[spec.id] = spec
        return tuple(specs.values()) if len(specs) == len(found) else None

    def _one(self, path: PathTo) -> Spec | None:
        if not self._sound(path):
            return None
        file, digest = _entry(self._root.at(path).value)
        try:
            spec = load_spec(find_spec(file, self._folder))
        except SpecError as error:
            for problem in error.problems:
                where = error.source if problem.line is None else f"{error.source}:{problem.line}"
                self._note(path, f"{where}: {problem.message}", problem.remedy)
            return None
        if digest is not None and spec.digest != digest:
            remedy = f"Restore the pinned text, or read what changed and pin {spec.digest}."
            self._note((*path, "digest"), f"{file} is another text than the pinned one", remedy)
        return spec


def _entry(value: Any) -> tuple[str, str | None]:
    """A path, and the digest of the text it is to have."""
    return (value, None) if isinstance(value, str) else (value["path"], value.get("digest"))
