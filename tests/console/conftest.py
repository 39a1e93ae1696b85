"""Store that the demo wrote, and a console over it: in the process, or listening for those with a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from console_visits import Console, open_console

CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture(scope="session")
def written_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that `specspan demo` writes where content is asked for; nobody changes it."""
    path = tmp_path_factory.mktemp("demo") / "specspan.db"
    program = Path(sys.executable).with_name("specspan")
    variables = {**os.environ, CAPTURE: "span_only", "SPECSPAN_DB": str(path)}
    subprocess.run([program, "demo"], env=variables, capture_output=True, check=True, timeout=120)
    return path


@pytest.fixture
def demo_db(written_demo: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copy(written_demo, tmp_path / "specspan.db"))


@pytest.fixture
def open_on() -> Iterator[Callable[..., Console]]:
    """A console over any store, with a browser that has come in."""
    with ExitStack() as stack:

        def open_(db: object, **settings: object) -> Console:
            opened: AbstractContextManager[Console] = open_console(str(db), **settings)
            return stack.enter_context(opened)

        yield open_


@pytest.fixture
def console(demo_db: Path, open_on: Callable[..., Console]) -> Console:
    """A console over the demo's store."""
    return open_on(demo_db)
