"""Destination of instrumented calls. None is active until `specspan.configure`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from specspan.engine.engine import Engine
from specspan.record.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Recorder of calls, and the engine that decides them."""

    recorder: Recorder
    engine: Engine | None = None
    """None: spans without decisions."""


Handler: TypeAlias = Callable[[Pipeline, Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""Makes a call under a pipeline: the function, what it is bound to, positional and keyword arguments."""

_active: Pipeline | None = None


def active() -> Pipeline | None:
    """Return the pipeline in force; None, and every wrapper passes straight through, until one is activated."""
    return _active


def activate(pipeline: Pipeline | None) -> None:
    """Put ``pipeline`` in force for calls that start from now on."""
    global _active
    _active = pipeline
