"""Every dialect that is understood: one module each here, and what other distributions registered."""

from __future__ import annotations

from collections.abc import Iterator

from specspan import discovery
from specspan.bridges.model import Dialect

_PACKAGE = "specspan.bridges.dialects"
_PLUGINS = "specspan_dialects"


def dialects() -> Iterator[Dialect]:
    """Others' first: who adds one knows better."""
    for _, plugin in discovery.plugins(_PLUGINS):
        yield plugin.DIALECT
    for module in discovery.modules(_PACKAGE):
        yield module.DIALECT
