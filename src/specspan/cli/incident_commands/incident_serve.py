"""`specspan incident serve`: receiver of Alertmanager's webhook."""

from __future__ import annotations

from contextlib import suppress

import click

from specspan.cli.incident_view import open_log
from specspan.cli.storage import db_option
from specspan.incidents.alert_receiver import AlertReceiver


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=9095, show_default=True, help="The port; 0: any.")
@click.option(
    "--secret",
    envvar="SPECSPAN_INCIDENT_SECRET",
    show_envvar=True,
    required=True,
    help="What senders must know, as a bearer token or to sign with; better in the variable.",
)
@db_option
def command(host: str, port: int, secret: str, db: str | None) -> None:
    """Open an incident for each group of alerts that Alertmanager posts, until interrupted.

    Alerts need the label `clause`, as those of `specspan prometheus` have; group them by it.
    """
    with open_log(db) as log:
        try:
            server = AlertReceiver((host, port), log, secret)
        except (OSError, ValueError) as error:
            raise click.ClickException(f"cannot receive on {host}:{port}: {error}") from error
        click.echo(f"Receiving alerts on http://{host}:{server.server_address[1]}/, incidents in {log.name}.")
        with server, suppress(KeyboardInterrupt):
            server.serve_forever()
