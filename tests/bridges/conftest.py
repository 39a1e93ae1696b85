"""Providers of an application in which others trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bridging import Bridged, process


@pytest.fixture
def others() -> Iterator[Bridged]:
    """Bridged, under a policy in enforce mode."""
    with process() as found:
        found.configure()
        yield found
