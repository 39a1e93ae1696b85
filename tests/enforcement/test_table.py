"""The enforcement table: what comes out and what is recorded, for each way, provider, mode and action."""

from __future__ import annotations

import pytest
from enforcement_runner import Leak, hold
from enforcement_table import Row, rows

pytestmark = pytest.mark.filterwarnings("ignore:.* is not a valid :UserWarning")  # Google's client says so of itself


def _param(row: Row) -> object:
    marks = () if row.leaks is None else (pytest.mark.xfail(strict=True, raises=Leak, reason=row.leaks),)
    return pytest.param(row, id=row.id, marks=marks)


@pytest.mark.parametrize("row", [_param(row) for row in rows()])
@pytest.mark.table
def test_a_row_of_the_table_holds(row: Row) -> None:
    """Nothing forbidden comes out, nothing allowed is lost, and the record says what was done."""
    hold(row)
