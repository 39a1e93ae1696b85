"""Commands are found, not listed."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from specspan._support import plugins
from specspan.cli.main import DiscoveredGroup, cli


@click.command("greet")
def greet() -> None:
    """Greet."""
    click.echo("hello")


@pytest.mark.parametrize("group", ["spec", "policy"])
def test_a_plug_in_adds_a_command_to_a_group(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another distribution's command stands in the group it is registered for, beside our own."""
    registered = {f"specspan_{group}_commands": [("greet", greet)]}
    monkeypatch.setattr(plugins, "iter_plugins", lambda group, name="": registered.get(group, []))
    named = {f"specspan_{group}_commands": [SimpleNamespace(module="of_no_file", attr="greet")]}
    monkeypatch.setattr(plugins, "entry_points", lambda group: named.get(group, []))
    monkeypatch.setattr(cli, "commands", {})  # put back afterwards: plug-ins of later tests are others
    found = cli.get_command(click.Context(cli), group)
    assert isinstance(found, click.Group)
    monkeypatch.setattr(found, "commands", {})
    assert CliRunner().invoke(cli, [group, "greet"]).output == "hello\n"
    assert "Greet." in CliRunner().invoke(cli, [group, "--help"]).output
    assert len(found.list_commands(click.Context(found))) > 1


def test_every_command_is_found_by_its_name() -> None:
    """The module that a command stands in is found by the command's name, without importing the others."""
    context = click.Context(cli)
    groups = [cli, *(found for name in ("spec", "policy") if (found := cli.get_command(context, name)))]
    for group in groups:
        assert isinstance(group, DiscoveredGroup)
        for name in group.list_commands(context):
            listed = group.commands.pop(name)
            assert group.get_command(context, name) is listed


def test_only_the_command_that_is_run_is_imported() -> None:
    """A command's process does not wait for what other commands need."""
    program = (
        "import sys; from click.testing import CliRunner; from specspan.cli.main import cli; "
        "print(CliRunner().invoke(cli, ['spec', 'lint', '--help']).exit_code, "
        "*(n for n in sys.modules if n.startswith('specspan.cli.') and 'commands.' in n))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.split() == ["0", "specspan.cli.commands.spec_group", "specspan.cli.spec_commands.spec_lint"]


def test_a_list_of_commands_imports_none() -> None:
    """What the commands are for is read from their source, and is what they say themselves."""
    program = (
        "import sys; from click.testing import CliRunner; from specspan.cli.main import cli; "
        "print(CliRunner().invoke(cli, ['--help']).output); "
        "heavy = ('rich', 'pydantic', 'opentelemetry.sdk'); "
        "print('imported', *(n for n in sys.modules if 'commands.' in n or n in heavy))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    *listed, imported = ended.stdout.splitlines()
    assert imported == "imported"
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        line = next(line for line in listed if line.split()[:1] == [name])
        assert line.split(maxsplit=1)[1].removesuffix("...") in " ".join((command.help or "").split())
