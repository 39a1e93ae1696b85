"""Pages of `docs/production`: the files and commands that they show, run in a folder as they stand there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specspan.sqlite import Reader

PAGES = Path(__file__).parents[2] / "docs" / "production"


def files_on(page: str) -> dict[str, str]:
    """The files that a page shows, each by the name above it."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", text, re.DOTALL | re.MULTILINE))


def commands_on(page: str) -> list[str]:
    """The commands that a page shows, each behind a ``$``."""
    return re.findall(r"^\$ (.*)$", (PAGES / page).read_text(encoding="utf-8"), re.MULTILINE)


@contextmanager
def running(folder: Path, command: Sequence[str], **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program in a folder until the block ends."""
    names = ("OTEL_", "SPECSPAN_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    path = os.pathsep.join([str(folder), *(each for each in sys.path if each)])
    environ |= {"PYTHONPATH": path, **variables}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen([sys.executable, *command], cwd=folder, env=environ, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def decided(folder: Path) -> list[tuple[str | None, str]]:
    """The conversation and the verdict of each decision in the file."""
    with Reader(folder / "specspan.db") as reader:
        spans = [span for trace in reader.traces() for span in reader.spans(trace.trace_id)]
        verdicts = [record["verdict"] for record in reader.decisions()]
    conversations = [span.attributes.get("gen_ai.conversation.id") for span in spans]
    return sorted(zip(conversations, verdicts, strict=True), key=str)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, with the default store in it."""
    for name, text in files.items():
        (folder / name).write_text(text.replace("/tmp/specspan.db", "specspan.db"), encoding="utf-8")
