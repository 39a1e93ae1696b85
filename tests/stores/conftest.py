"""A process in which nothing is configured and no variable is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import specspan


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, and the current directory is empty."""
    for name in os.environ:
        if name.startswith(("OTEL_", "SPECSPAN_")) and name != "SPECSPAN_RAISE_INTERNAL_ERRORS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    specspan.shutdown()
    yield
    specspan.shutdown()
