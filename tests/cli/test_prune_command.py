"""`specspan prune`, as its user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]


def test_old_records_go_and_it_is_said(specspan: Run, recorded: Path) -> None:
    """First what would go, then what went, then what is on record of it."""
    arguments = ("--older-than", "1970-01-01T00:00:02+00:00", "--db", recorded)
    ran = specspan("prune", *arguments, "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert "Would remove 1 decision, 1 finding, 1 span, from before" in ran.out
    assert len(json.loads(specspan("decisions", "--db", recorded, "--json").out)) == 2

    ran = specspan("prune", *arguments)
    assert ran.code == 0
    assert "Removed 1 decision, 1 finding, 1 span, from before" in ran.out
    assert "1 policy record kept." in ran.out
    assert len(json.loads(specspan("decisions", "--db", recorded, "--json").out)) == 1
    assert len(json.loads(specspan("traces", "--db", recorded, "--json").out)) == 1

    ran = specspan("prune", "--history", "--db", recorded)
    assert "removed 1 decision, 1 finding, 1 span" in ran.out
    (kept,) = json.loads(specspan("prune", "--history", "--json", "--db", recorded).out)
    assert kept["removed"] == {"decision": 1, "finding": 1, "span": 1}
    assert "@" in kept["by"]


def test_nothing_old_is_said_too(specspan: Run, recorded: Path) -> None:
    """And is no error; nothing is on record then."""
    ran = specspan("prune", "--older-than", "1970-01-01T00:00:00+00:00", "--db", recorded)
    assert (ran.code, "Nothing is older than" in ran.out) == (0, True)
    assert specspan("prune", "--history", "--db", recorded).out == "Nothing was ever removed.\n"
    assert specspan("prune", "--older-than", "90d", "--db", recorded, "--json").code == 0


def test_what_is_missing_is_named(specspan: Run, tmp_path: Path, recorded: Path) -> None:
    """No time, no file, no date: exit code 2 and a remedy; nothing is made."""
    for arguments, says in (
        (("--db", recorded), "--older-than 90d"),
        (("--older-than", "soon", "--db", recorded), "Write an age"),
        (("--older-than", "90d", "--db", tmp_path / "none.db"), "specspan demo"),
    ):
        ran = specspan("prune", *arguments)
        assert (ran.code, says in ran.err) == (2, True), ran.err
    assert not (tmp_path / "none.db").exists()
