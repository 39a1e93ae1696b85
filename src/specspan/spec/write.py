"""Writing of a spec: the text of a file that reads back as the same clauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from specspan._support import plugins
from specspan._support.messages import did_you_mean, quoted_list
from specspan.errors import Problem, SpecError
from specspan.spec.spec import Spec


class SpecWriter(Protocol):
    """Writer of one format: a module in `specspan.spec.writers`, or an entry point of group ``specspan_writers``."""

    FORMAT: str
    """Name of the format, such as ``yaml``."""

    def write(self, spec: Spec) -> str:
        """Return the text of a file with everything in ``spec`` but digest, source and line numbers.

        Raises:
            SpecError: the format cannot hold the spec; every clause in question is named.
        """


def write_spec(spec: Spec, format_: str) -> str:
    """Return a spec as text.

    Args:
        spec: the spec.
        format_: one of `writers`.

    Raises:
        SpecError: the format is unknown, or it cannot hold this spec.
    """
    known = writers()
    if format_ not in known:
        remedy = did_you_mean(format_, known, f"Known are {quoted_list(sorted(known))}.")
        raise SpecError(spec.source, Problem(f"unknown format {format_!r}", remedy))
    return known[format_].write(spec)


def writers() -> Mapping[str, SpecWriter]:
    """Return every writer by its format."""
    return {
        **dict(plugins.iter_plugins("specspan_writers")),
        **{module.FORMAT: module for module in plugins.iter_modules("specspan.spec.writers")},
    }
