"""The command, where the packages it needs may not be installed."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from specspan._support import plugins
from specspan.cli.main import cli


@pytest.mark.parametrize("package", ["click", "rich"])
def test_a_missing_package_is_told_with_what_to_run(package: str) -> None:
    """An installation without the extra gives a line and exit code 2, and no traceback."""
    script = f"import sys; sys.modules[{package!r}] = None; from specspan.cli.start import main; main()"
    refused = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert refused.returncode == 2
    assert refused.stderr == f"specspan: the command line needs {package!r}. Run: pip install 'specspan[cli]'\n"


@pytest.mark.parametrize("command", ["grafana", "prometheus"])
def test_a_command_of_an_extra_names_it(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its distribution is not installed, the remedy is the line to run; a misspelt one is told by click."""
    monkeypatch.setattr(plugins, "iter_plugins", lambda group, name="": [])
    monkeypatch.setattr(cli, "commands", {})
    refused = CliRunner().invoke(cli, [command, "--help"])
    assert refused.exit_code == 2
    assert f"The command '{command}' is not installed. Run: pip install 'specspan[{command}]'" in refused.output
    assert "No such command 'grafanna'" in CliRunner().invoke(cli, ["grafanna"]).output


def test_other_failures_are_not_hidden() -> None:
    """A module of ours that is missing is a broken installation, and shows itself."""
    script = "import sys; sys.modules['specspan._support.plugins'] = None; from specspan.cli.start import main; main()"
    broken = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert broken.returncode == 1
    assert "specspan._support.plugins" in broken.stderr
