"""Every test starts and ends unconfigured, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from unconfigured import unconfigured


@pytest.fixture
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, no variable is set, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path):
        yield
