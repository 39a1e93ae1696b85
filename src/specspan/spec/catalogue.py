"""The catalogue of published specs: facts about each edition, no text. A file is recognised by its digest.

Two texts of one name and one date are two editions: the later one has ``-rev2`` behind its date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib import resources
from typing import Any

from specspan.errors import Problem, SpecError
from specspan.spec.model import Spec
from specspan.wording import did_you_mean, listed

_FOLDER = "published"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)@(?P<version>[\w.:+-]+)")


@dataclass(frozen=True, slots=True)
class Edition:
    """One published text."""

    name: str
    version: str
    """Its date, and ``-rev2`` where another text was published under that date before."""
    date: str
    digest: str
    """``sha256:`` and the hex digest of its bytes."""
    size_bytes: int
    url: str
    """Where it was published, below the address that ``SPECSPAN_CATALOGUE_URL`` may replace."""
    ladder: tuple[str, ...]
    clauses: Mapping[str, tuple[str | None, str]]
    """By id: its level of authority, and the digest of its text."""

    @property
    def pin(self) -> str:
        """How a policy names it: ``name@version``."""
        return f"{self.name}@{self.version}"


@lru_cache(maxsize=1)
def editions() -> Mapping[str, Edition]:
    """Every edition that is known, by digest, in the order they were published."""
    folder = resources.files("specspan.spec") / _FOLDER
    read = [_edition(json.loads(file.read_text(encoding="utf-8"))) for file in folder.iterdir()]
    return {edition.digest: edition for edition in sorted(read, key=lambda edition: edition.pin)}


def pinned(reference: str) -> Edition | None:
    """The edition that ``name@version`` means; None where it names nothing that the catalogue could know.

    Raises:
        SpecError: the catalogue knows the name, and no such version of it.
    """
    match = _PIN.fullmatch(reference)
    versions = {edition.version: edition for edition in editions().values() if match and edition.name == match["name"]}
    if match is None or not versions:
        return None
    if match["version"] not in versions:
        remedy = did_you_mean(match["version"], versions, f"Known are {listed(versions)}.")
        raise SpecError(reference, Problem(f"no version {match['version']!r} of {match['name']!r} is known", remedy))
    return versions[match["version"]]


def nearest(spec: Spec) -> tuple[Edition, float] | None:
    """The edition that shares most with a spec, and the share of clauses that both have with one text and level.

    None where no edition shares any.
    """
    mine = _facts(spec)
    shares = {digest: _share(mine, edition.clauses) for digest, edition in editions().items()}
    best = max(shares, key=lambda digest: shares[digest], default=None)
    return None if best is None or not shares[best] else (editions()[best], shares[best])


def describe(spec: Spec, *, version: str, date: str, size_bytes: int, url: str) -> dict[str, Any]:
    """The facts about a published text, as the catalogue keeps them."""
    return {
        "v": 1,
        "name": spec.id,
        "version": version,
        "date": date,
        "digest": spec.digest,
        "size_bytes": size_bytes,
        "url": url,
        "ladder": list(spec.ladder),
        "clauses": {id_: list(facts) for id_, facts in _facts(spec).items()},
    }


def _edition(read: dict[str, Any]) -> Edition:
    clauses = {id_: (authority, digest) for id_, (authority, digest) in read["clauses"].items()}
    plain = {key: value for key, value in read.items() if key not in ("v", "ladder", "clauses")}
    return Edition(ladder=tuple(read["ladder"]), clauses=clauses, **plain)


def _facts(spec: Spec) -> dict[str, tuple[str | None, str]]:
    return {
        clause.id: (clause.authority, sha256(clause.text.encode("utf-8", "surrogatepass")).hexdigest())
        for clause in spec.clauses.values()
    }


def _share(mine: Mapping[str, tuple[str | None, str]], theirs: Mapping[str, tuple[str | None, str]]) -> float:
    same = sum(1 for id_, facts in mine.items() if theirs.get(id_) == facts)
    return same / max(len(mine.keys() | theirs.keys()), 1)
