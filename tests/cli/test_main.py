"""Commands are found, not listed."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from specspan._support import plugins
from specspan.cli.main import cli


@click.command("greet")
def greet() -> None:
    """Greet."""
    click.echo("hello")


@pytest.mark.parametrize("group", ["spec", "policy"])
def test_a_plug_in_adds_a_command_to_a_group(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's command stands in the group it is registered for, beside our own."""
    registered = {f"specspan_{group}_commands": [("greet", greet)]}
    monkeypatch.setattr(plugins, "iter_plugins", lambda name: registered.get(name, []))
    monkeypatch.setattr(cli, "commands", {})  # put back afterwards: plug-ins of later tests are others
    found = cli.get_command(click.Context(cli), group)
    assert isinstance(found, click.Group)
    monkeypatch.setattr(found, "commands", {})
    assert CliRunner().invoke(cli, [group, "greet"]).output == "hello\n"
    assert "Greet." in CliRunner().invoke(cli, [group, "--help"]).output
    assert len(found.list_commands(click.Context(found))) > 1
