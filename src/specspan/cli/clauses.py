"""A clause that somebody names on the command line."""

from __future__ import annotations

from specspan.errors import Problem, SpecError
from specspan.spec.model import Clause, Spec
from specspan.wording import did_you_mean


def named_clause(spec: Spec, name: str) -> Clause:
    """The clause with an id, which may have the ``#`` of a reference before it.

    Raises:
        SpecError: there is none.
    """
    id_ = name.removeprefix("#")
    if id_ in spec.clauses:
        return spec.clauses[id_]
    remedy = did_you_mean(id_, spec.clauses, "'specspan spec show FILE' lists them all.")
    raise SpecError(spec.source, Problem(f"there is no clause {name!r}", remedy))
