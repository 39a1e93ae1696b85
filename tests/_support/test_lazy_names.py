"""Public names are imported when they are first asked for, and are those that type checkers see."""

from __future__ import annotations

import subprocess
import sys

import pytest

import specspan


def _in_a_new_process(program: str) -> list[str]:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return ended.stdout.split()


def test_every_public_name_is_found() -> None:
    """What `__all__` promises can be had, is listed, and stays the same object."""
    assert set(specspan.__all__) <= set(dir(specspan))
    assert all(getattr(specspan, name) is getattr(specspan, name) for name in specspan.__all__)


def test_an_import_imports_no_engine() -> None:
    """A library that depends on specspan pays for what it uses; the function `instrument` is no package."""
    program = (
        "import specspan, sys; print('specspan.engine' in sys.modules, 'asyncio' in sys.modules);"
        "import specspan.instrument.decorators; specspan.uninstrument(); print(callable(specspan.instrument))"
    )
    assert _in_a_new_process(program) == ["False", "False", "True"]


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A misspelt name is told as that of any module."""
    with pytest.raises(AttributeError, match="module 'specspan' has no attribute 'configur'"):
        specspan.configur  # type: ignore[attr-defined] # noqa: B018
