"""A process in which nothing is configured, for tests that call `specspan.configure` themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import specspan


@contextmanager
def unconfigured(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[Path]:
    """Have nothing configured before and after, no variable set, and a folder as the current one."""
    for name in os.environ:
        if name.startswith(("OTEL_", "SPECSPAN_")) and name != "SPECSPAN_RAISE_INTERNAL_ERRORS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    specspan.shutdown()
    try:
        yield folder
    finally:
        specspan.shutdown()
