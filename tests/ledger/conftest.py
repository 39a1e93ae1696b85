"""What every test of the ledger leaves: no writer that goes on in the background of the next one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ledgers import OPENED


@pytest.fixture(autouse=True)
def none_left_open() -> Iterator[None]:
    """End the ledgers that a test opened."""
    yield
    while OPENED:
        OPENED.pop().shutdown(5.0)
