"""Fixtures of the recorder's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from recording import Recording


@pytest.fixture
def record() -> Iterator[Callable[..., Recording]]:
    """Makes recordings that are closed when the test ends."""
    made: list[Recording] = []

    def make(*args: Any, **named: Any) -> Recording:
        made.append(Recording(*args, **named))
        return made[-1]

    yield make
    for recording in made:
        recording.close()
