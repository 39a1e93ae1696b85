"""Writing a spec: the text of a file that reads back as the same clauses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from specspan._support import plugins
from specspan._support.messages import did_you_mean, quoted_list
from specspan.errors import Problem, SpecError
from specspan.spec.spec import Spec


class SpecWriter(Protocol):
    """A module in `specspan.spec.writers`, or an object behind the entry point group ``specspan_writers``."""

    FORMAT: str
    """What the format is called, such as ``yaml``."""

    def write(self, spec: Spec) -> str:
        """The text of a file with everything in ``spec`` but digest, source and line numbers.

        Raises:
            SpecError: the format cannot hold it; every clause in question is named.
        """


def write_spec(spec: Spec, format_: str) -> str:
    """A spec as text.

    Args:
        spec: the spec.
        format_: one of `writers`.

    Raises:
        SpecError: there is no such format, or it cannot hold this spec.
    """
    known = writers()
    if format_ not in known:
        remedy = did_you_mean(format_, known, f"Known are {quoted_list(sorted(known))}.")
        raise SpecError(spec.source, Problem(f"no writer knows the format {format_!r}", remedy))
    return known[format_].write(spec)


def writers() -> Mapping[str, SpecWriter]:
    """Every writer there is, by its format."""
    return {
        **dict(plugins.iter_plugins("specspan_writers")),
        **{module.FORMAT: module for module in plugins.iter_modules("specspan.spec.writers")},
    }
