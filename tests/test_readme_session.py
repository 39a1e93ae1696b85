"""The README, to the letter: its files written and its commands run in order, where nothing was before.

Run by `make environments` alone, as it builds and installs the distributions.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
from otlp_receiver import over_http

from documents import ROOT, Block, blocks
from specspan.testing import ScriptedModel

pytestmark = pytest.mark.skipif(
    os.environ.get("SPECSPAN_ENVIRONMENT") != "readme", reason="make environments ENVIRONMENTS=readme runs it"
)
DISTRIBUTIONS = (".", "exporters/prometheus", "exporters/grafana")
JAEGER_PORT = 4318
PATIENCE_S = 900


def built(folder: Path) -> dict[str, str]:
    """Variables by which `pip install specspan` takes the wheels of this tree, and all else as pinned."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    subprocess.run([*command, *(str(ROOT / path) for path in DISTRIBUTIONS)], check=True, timeout=PATIENCE_S)
    assert len(list(folder.glob("specspan*.whl"))) == len(DISTRIBUTIONS)
    links = " ".join((str(folder), os.environ.get("PIP_FIND_LINKS", ""))).strip()
    return {"PIP_FIND_LINKS": links, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}


def session(shown: list[Block]) -> str:
    """Everything as one session of a shell: what is no file and no command of it is what a command prints."""
    steps = []
    for block in shown:
        if block.file is not None:
            steps.append(f"cat > {shlex.quote(block.file)} <<'END OF FILE'\n{block.text}END OF FILE\n")
        elif block.language == "sh":
            steps.append(f"echo '== {block.line}'\n{block.text}")
    return "set -euo pipefail\n" + "".join(steps)


def test_the_readme_goes_from_nothing_to_a_trace(tmp_path: Path) -> None:
    """Every file and command, in order, with no step added; the model with a key is a script, Jaeger a receiver."""
    variables = built(tmp_path)
    venv.create(tmp_path / "environment", with_pip=True, symlinks=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "SPECSPAN_", "OPENAI_", "PYTHON", "VIRTUAL_ENV", "PYTEST"))
    }
    environ = {
        **clean,
        "PATH": os.pathsep.join((str(tmp_path / "environment" / "bin"), "/usr/bin", "/bin")),
        **variables,
    }
    shown = blocks("README.md")
    assert [block.file for block in shown if block.file] == ["rules.md", "policy.yaml", "checks.py", "app.py"]
    answer = "Your account number is 123-45-6789."
    started = time.monotonic()
    with ScriptedModel({"account": answer}) as model, over_http(JAEGER_PORT) as (_, received):
        ran = subprocess.run(
            ["bash", "-c", session(shown)],
            check=False,
            cwd=empty,
            env={**environ, "OPENAI_BASE_URL": model.base_url},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
    print(f"the README took {time.monotonic() - started:.0f} s")  # noqa: T201 - a figure that is promised
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (installed,) = (tmp_path / "environment").glob("lib/*/site-packages/specspan/sqlite/store.py")
    assert installed.read_bytes() == (ROOT / "src/specspan/sqlite/store.py").read_bytes(), "another specspan"
    assert "Checked: 2 of 2 clauses." in ran.stdout
    assert "governed by keep_numbers_private (account_number)" in ran.stdout
    expected = [block.output for block in shown if block.output]
    assert expected, "the README shows what its program prints"
    printed = re.split(r"^== \d+\n", ran.stdout, flags=re.MULTILINE)
    for output in expected:
        assert sum(output in part for part in printed) == 3  # without a key, with one, and with Jaeger
    assert {span.name for span in received.spans} == {"answer", "chat gpt-5-mini"}
    assert (empty / "specspan.rules.yaml").exists()
    assert list((empty / "provisioning").rglob("*.json"))
