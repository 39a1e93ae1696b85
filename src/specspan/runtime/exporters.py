"""Exporters by name, through the entry points that OpenTelemetry and specspan give them."""

from __future__ import annotations

import os
from importlib import metadata
from typing import Any

from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.runtime.environment import SQLITE_DECISIONS, SQLITE_SPANS

TRACES = "opentelemetry_traces_exporter"
METRICS = "opentelemetry_metrics_exporter"
LOGS = "opentelemetry_logs_exporter"
DECISIONS = "specspan_decision_exporter"


def create(group: str, name: str, *, db: str | os.PathLike[str] | None = None) -> Any:
    """The exporter ``name``, made by its own defaults and its own variables; ``db`` is the SQLite exporters' file.

    Raises:
        MissingDependency: it is one of OTLP's and those are not installed.
        ConfigurationError: nobody registered it, or it could not be made.
    """
    found = metadata.entry_points(group=group, name=name)
    if not found:
        raise _unknown(group, name)
    arguments = (db,) if db is not None and (group, name) in _WITH_FILE else ()
    try:
        return next(iter(found)).load()(*arguments)
    except Exception as error:  # whatever somebody else's constructor raises, it is the configuration that must change
        problem = Problem(f"could not be made: {error!r}", "Correct what it reads, or name another exporter.")
        raise ConfigurationError(f"exporter {name!r}", problem) from error


_WITH_FILE = {(TRACES, SQLITE_SPANS), (DECISIONS, SQLITE_DECISIONS)}


def _unknown(group: str, name: str) -> ConfigurationError:
    if name.startswith("otlp_proto_"):
        problem = Problem("is not installed", "Run: pip install 'specspan[otlp]'")
        return MissingDependency(f"exporter {name!r}", problem)
    names = sorted({entry_point.name for entry_point in metadata.entry_points(group=group)})
    problem = Problem("is registered by no installed package", f"Installed ones are {', '.join(names) or 'none'}.")
    return ConfigurationError(f"exporter {name!r} ({group})", problem)
