"""What `docs/examples.md` shows is what happens."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from documents import blocks
from specspan.cli.main import cli

PAGE = "docs/examples.md"


def test_the_page_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files, written as they stand, give the output that it shows."""
    monkeypatch.chdir(tmp_path)
    found = blocks(PAGE)
    for block in found:
        if block.file is not None:
            Path(block.file).write_text(block.text)
    (shown,) = (block for block in found if block.language == "sh")
    ran = CliRunner().invoke(cli, shlex.split(shown.text)[1:], env={"COLUMNS": "120"})
    assert (ran.exit_code, ran.exception) == (0, None)
    assert shown.output is not None
    assert [line.rstrip() for line in ran.output.splitlines()] == shown.output.splitlines()
