"""Command group `specspan`: its commands are discovered, and an error of ours is one line and exit code 2."""

from __future__ import annotations

import io
import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from specspan._support import plugins
from specspan.cli.command_help import read_command, source_of
from specspan.errors import SpecspanError

_READER_LEFT = 128 + 13
"""Exit code that a shell gives a program which SIGPIPE ended."""


class DiscoveredGroup(click.Group):
    """Command group of one package: each module's ``command``, and those of plug-ins, imported at first use.

    A command stands in the module with its name among the words of the module's: ``show`` in ``spec_show``. Commands of
    ``extras`` come with the extra of their name.
    """

    def __init__(self, *arguments: Any, package: str, plugins: str, extras: Sequence[str] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._plugins = plugins
        self._extras = extras

    def list_commands(self, ctx: click.Context) -> list[str]:
        own = {module.command.name: module.command for module in plugins.iter_modules(self._package)}
        self.commands = {**dict(plugins.iter_plugins(self._plugins)), **own}
        return sorted(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; none is imported where its source says enough."""
        described = click.Group(commands=dict(self._described(ctx)))
        described.format_commands(ctx, formatter)

    def _described(self, ctx: click.Context) -> Iterator[tuple[str, click.Command]]:
        package = import_module(self._package)
        own = [Path(path) / f"{name}.py" for path in package.__path__ for name in plugins.module_names(self._package)]
        others = [source_of(each.module) for each in plugins.entry_points(self._plugins) if each.attr == "command"]
        commands = [None if file is None else read_command(file) for file in (*others, *own)]
        if None in commands or len(others) < len(plugins.entry_points(self._plugins)):
            self.list_commands(ctx)
            yield from self.commands.items()
        yield from ((command.name or "", command) for command in commands if command is not None)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.commands:  # the others are not imported: each process of `specspan run` would pay
            self.commands.update(self._load_command(cmd_name))
        return self.commands.get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in self._extras and self.get_command(ctx, name) is None:
            ctx.fail(f"The command {name!r} is not installed. Run: pip install 'specspan[{name}]'")
        return super().resolve_command(ctx, args)

    def _load_command(self, name: str) -> dict[str, click.Command]:
        for module in plugins.iter_modules(self._package, name.replace("-", "_")):
            if module.command.name == name:
                return {name: module.command}
        return dict(plugins.iter_plugins(self._plugins, name))


@click.group(
    cls=DiscoveredGroup,
    package="specspan.cli.commands",
    plugins="specspan_commands",
    extras=("grafana", "prometheus"),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="specspan")
def cli() -> None:
    """Show which clauses of a behaviour specification applied to a model call, and what was decided."""


@contextmanager
def _end_as_by_sigpipe() -> Iterator[None]:
    """Exit as a shell says of a program that SIGPIPE ended, where the reader of standard output left, as `head` does.

    Click and Rich turn a broken pipe into the exit code 1, which here says that something was found.
    """
    try:
        standard_output = os.dup(sys.stdout.fileno())
    except (AttributeError, OSError, ValueError):  # closed, or no file at all
        yield
        return
    try:
        yield
    except SystemExit:
        if _has_no_reader(standard_output):
            sys.exit(_READER_LEFT)
        raise
    finally:
        os.close(standard_output)


def _has_no_reader(descriptor: int) -> bool:
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


def main() -> None:
    """Run the command line. Exit code 2 for what the user must change, 1 for a finding (see each command)."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 shows what it can
    try:
        with _end_as_by_sigpipe():
            sys.exit(cli(standalone_mode=False))  # None, or the exit code that a command raised as click's `Exit`
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        sys.exit(130)
    except SpecspanError as error:
        from specspan.cli.terminal import printable  # with Rich, which a list of commands does without

        click.echo(f"specspan: {printable(str(error))}", err=True)
        sys.exit(2)
