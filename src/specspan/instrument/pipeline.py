"""Destination of instrumented calls. None is active until `specspan.configure`."""

from __future__ import annotations

from dataclasses import dataclass

from specspan.engine.engine import Engine
from specspan.record.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Recorder of calls, and the engine that decides them."""

    recorder: Recorder
    engine: Engine | None = None
    """None: spans without decisions."""


_active: Pipeline | None = None


def active() -> Pipeline | None:
    """Return the pipeline in force; None, and every wrapper passes straight through, until one is activated."""
    return _active


def activate(pipeline: Pipeline | None) -> None:
    """Put ``pipeline`` in force for calls that start from now on."""
    global _active
    _active = pipeline
