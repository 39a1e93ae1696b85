"""Every test starts and ends unconfigured, in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import specspan


@pytest.fixture
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, no variable is set, and the current directory is empty."""
    for name in os.environ:
        if name.startswith(("OTEL_", "SPECSPAN_")) and name != "SPECSPAN_RAISE_INTERNAL_ERRORS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    specspan.shutdown()
    yield
    specspan.shutdown()
