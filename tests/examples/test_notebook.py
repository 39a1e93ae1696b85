"""The notebook runs from its first cell to its last, and its kernel's end hands over what was recorded."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from documents import ROOT
from specspan.sqlite import Reader

EXAMPLES = ROOT / "examples"


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell prints what it says; a call after the last flush is recorded, too, when the kernel is shut down."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is absent: make environments ENVIRONMENTS=notebook")
    nbformat = pytest.importorskip("nbformat")
    for name in ("strict_policy.yaml", "rules.md"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    notebook = nbformat.read(EXAMPLES / "notebook.ipynb", as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell('ask("When is the early train, again?")'))
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    printed = [
        "".join(output.get("text", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    assert printed[1] == "It leaves at six.\n(stopped by no_pressure)\n"
    assert printed[2].splitlines() == ["violated block no_pressure", "complied allow None"]
    assert "no_pressure" in printed[3]
    with Reader(tmp_path / "notebook.db") as reader:
        assert [record["verdict"] for record in reader.decisions()] == ["complied", "violated", "complied"]
