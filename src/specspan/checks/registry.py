"""The kinds of check a policy file can name, found by registration."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from types import MappingProxyType

from specspan import discovery
from specspan.checks.base import CheckKindModule

_log = logging.getLogger("specspan")


@functools.cache
def kinds() -> Mapping[str, CheckKindModule]:
    """Every kind by its key in a policy file: the modules of `specspan.checks.kinds`, and plug-ins behind the entry
    points ``specspan_checks``. A plug-in does not replace a kind of our own, and one that is no kind is left out.
    """
    found: dict[str, CheckKindModule] = {}
    for name, plugin in discovery.plugins("specspan_checks"):
        if all(hasattr(plugin, attribute) for attribute in ("KIND", "build", "SCHEMA")):
            found[plugin.KIND] = plugin
        else:
            _log.warning("plug-in %r of group 'specspan_checks' lacks KIND, build or SCHEMA; it is left out", name)
    found.update((module.KIND, module) for module in discovery.modules("specspan.checks.kinds"))
    return MappingProxyType(found)
