"""Packages of guardrails, found by the name of their distribution: two of them share a module's name."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from specspan.checks.check import CheckConfigError


def require_distribution(distribution: str, module: str, kind: str) -> tuple[Any, str]:
    """Return a module of an installed distribution, and the distribution's version.

    Raises:
        CheckConfigError: it is not installed, or cannot be imported.
    """
    try:
        found = version(distribution)
        return import_module(module), found
    except PackageNotFoundError:
        problem = f"a check {kind!r} needs the package {distribution!r}"
    except Exception as error:  # whatever importing it raises, as where another distribution has its module's name
        problem = f"the package {distribution!r} could not be imported: {type(error).__name__}: {error}"
    raise CheckConfigError(problem, f"Run: pip install {distribution}")


def resolve(path: str, key: str) -> Any:
    """Return what ``package.module:name`` names.

    Raises:
        CheckConfigError: there is no such thing.
    """
    module, _, attribute = path.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:
        remedy = "Write package.module:name of something that can be imported from here."
        problem = f"{path!r} could not be imported: {type(error).__name__}: {error}"
        raise CheckConfigError(problem, remedy, key) from None
