"""`specspan console`: figures, traces, specs, policies and reviews of a store in a browser."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.storage import db_option
from specspan.errors import MissingDependency, Problem
from specspan.stores.opening import absolute_address, find_kind, store_address

_PORT = 8321


@click.command("console")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=_PORT, show_default=True, help="0: any free one.")
@click.option("--policy", type=click.Path(path_type=Path), envvar="SPECSPAN_POLICY", help="Policy that is shown.")
@click.option("--spec", "specs", type=click.Path(path_type=Path), multiple=True, help="Spec that is shown; repeatable.")
@db_option
@environment_option
@import_option
def command(
    host: str,
    port: int,
    policy: Path | None,
    specs: tuple[Path, ...],
    db: str | None,
    environment: str | None,
    modules: tuple[str, ...],
) -> None:
    """Show the store in a browser, at an address that works once and on this machine alone."""
    try:
        from specspan.console.console_server import ConsoleServer
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise MissingDependency(
            "specspan console", Problem(f"needs {missing!r}", "Run: pip install 'specspan[console]'")
        ) from error
    address = absolute_address(store_address(db))
    find_kind(address)  # an address that nothing could ever be read from is refused now; a file may yet be made
    with import_modules(modules):
        server = ConsoleServer(db=address, host=host, port=port, policy=policy, specs=specs, environment=environment)
        server.run(click.echo)
