"""A group whose commands are found by registration: adding one is adding one module."""

from __future__ import annotations

from typing import Any

import click

from specspan import discovery


class Registered(click.Group):
    """The commands of one package (each module's ``command``) and of plug-ins, imported when asked for."""

    def __init__(self, *arguments: Any, package: str, plugins: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package = package
        self._plugins = plugins

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._found().get(cmd_name)

    def _found(self) -> dict[str, click.Command]:
        if not self.commands:
            own = {module.command.name: module.command for module in discovery.modules(self._package)}
            self.commands = {**dict(discovery.plugins(self._plugins)), **own}
        return dict(self.commands)
