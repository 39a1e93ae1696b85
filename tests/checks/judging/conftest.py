"""Clients of judges are closed after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.pydantic_ai_model import close_clients


@pytest.fixture(autouse=True)
def clients_closed() -> Iterator[None]:
    """Nothing that a test asked is left open."""
    yield
    LOOP.submit(close_clients()).result()
