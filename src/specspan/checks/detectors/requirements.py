"""Libraries that kinds of checks stand on, and the error that names the extra with a missing one."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from specspan.checks.check import CheckConfigError


def require(module: str, package: str, needed_by: str, extra: str = "checks", key: str | None = None) -> Any:
    """Import a module of an optional library.

    Args:
        module: dotted name of the module.
        package: name by which the library is installed.
        needed_by: what needs it, for the message.
        extra: extra of specspan that installs it.
        key: key of the configuration that asks for it; None for the whole of it.

    Raises:
        CheckConfigError: the library cannot be imported.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise CheckConfigError(
            f"{needed_by} needs the package {package!r} ({error})", f"Run: pip install 'specspan[{extra}]'", key
        ) from None
