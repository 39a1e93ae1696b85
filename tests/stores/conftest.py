"""A process in which nothing is configured and no variable is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unconfigured import unconfigured


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path):
        yield
