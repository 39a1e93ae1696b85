"""The comparison of types before and after decoration."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WIDENED = """
from typing import Any, Callable
from typing_extensions import reveal_type

def plain(value: int) -> str:
    raise NotImplementedError

def widen(function: Callable[..., Any]) -> Callable[..., Any]:
    return function

observed = widen(plain)
reveal_type(plain)
reveal_type(observed)
"""


@pytest.mark.parametrize("checker", ["mypy", "pyright", "pyrefly"])
@pytest.mark.thorough
def test_a_type_that_is_widened_is_found(tmp_path: Path, checker: str) -> None:
    """By each of the checkers: a decorator that loses the parameters is no decorator of ours."""
    (tmp_path / "widened.py").write_text(WIDENED, encoding="utf-8")
    command = [sys.executable, str(ROOT / "tools" / "type_checkers.py"), str(tmp_path / "widened.py"), checker]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert f"{checker}: line 13: " in found.stdout
