"""The summary of the enforcement table counts its rows."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from enforcement_table import rows

TOOL = Path(__file__).resolve().parents[2] / "tools" / "enforcement_summary.py"


def test_the_summary_counts_every_row_once() -> None:
    """The cells add up to the rows of the table, and to those that hold."""
    table = str(runpy.run_path(str(TOOL))["summary"]())
    cells = [(int(held), int(total)) for held, total in re.findall(r"(\d+) of (\d+)", table)]
    every = rows()
    assert sum(total for _, total in cells) == len(every)
    assert sum(held for held, _ in cells) == len([row for row in every if row.leaks is None])


def test_every_part_has_a_name() -> None:
    """No part of the table is shown by its number alone."""
    assert {row.way.part for row in rows()} <= set(runpy.run_path(str(TOOL))["PARTS"])
