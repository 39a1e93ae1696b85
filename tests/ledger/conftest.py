"""Fixtures of the ledger's tests: each counts its own losses, and leaves no writer to the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from ledgers import OPENED

from specspan._support import drop_counts


@pytest.fixture(autouse=True)
def none_left_open() -> Iterator[None]:
    """End the ledgers that a test opened."""
    yield
    while OPENED:
        OPENED.pop().shutdown(5.0)


@pytest.fixture
def losses() -> Callable[[], dict[tuple[str, str], int]]:
    """The losses of the ledger since the test began."""
    before = drop_counts.totals()

    def lost() -> dict[tuple[str, str], int]:
        counts = {key: count - before.get(key, 0) for key, count in drop_counts.totals().items()}
        return {key: count for key, count in counts.items() if count and key[0].startswith("ledger")}

    return lost
