"""Clients that are imported again: their calls are met, and what cannot be met is counted."""

from __future__ import annotations

import ast
import logging
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from specspan._support import drop_counts
from specspan.instrument.reimports import ReimportFinder

PROGRAM = Path(__file__).parents[1] / "support" / "imported_again.py"


def test_a_client_that_is_imported_again_is_met(tmp_path: Path) -> None:
    """Purged, reloaded, under another name, and copied below another package; each call makes one span."""
    done = subprocess.run([sys.executable, str(PROGRAM), str(tmp_path)], capture_output=True, text=True, check=True)
    found: dict[str, int] = ast.literal_eval(done.stdout)
    assert found.pop("uninstrumented") == 0
    assert len(found) == 6
    assert set(found.values()) == {2}, found


class Unfollowed:
    """Loader that nothing can be set on, of a finder of its own."""

    __slots__ = ()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Execute nothing."""

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return ModuleSpec(name, cls()) if name == "some_client.methods" else None  # type: ignore[arg-type]


def test_what_cannot_be_met_is_counted_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The module is imported all the same."""
    finder = ReimportFinder(lambda name: None, lambda name, module: None)
    finder.watch("some_client.methods")
    monkeypatch.setattr(sys, "meta_path", [finder, Unfollowed])
    before = drop_counts.totals().get(("client", "imported_again"), 0)
    with caplog.at_level(logging.WARNING, "specspan"):
        for _ in range(2):
            assert isinstance(finder.find_spec("some_client.methods"), ModuleSpec)
    assert drop_counts.totals()["client", "imported_again"] == before + 2
    assert [each.getMessage().partition(" was ")[0] for each in caplog.records] == ["some_client.methods"]
    caplog.clear()
