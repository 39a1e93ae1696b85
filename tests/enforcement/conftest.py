"""Fixtures of the enforcement suite: every client is instrumented, and failures are contained as in production."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import specspan


@pytest.fixture(scope="module", autouse=True)
def instrumented() -> Iterator[None]:
    """Every client is instrumented, and failures of specspan's own are contained, as they are in production."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS", raising=False)
        specspan.instrument()
        yield
        specspan.uninstrument()
