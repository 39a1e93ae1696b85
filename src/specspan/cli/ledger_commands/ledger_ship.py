"""`specspan ledger ship`: delivery of what backends do not have yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import click

from specspan.cli.ledger_view import ledger_option, reading
from specspan.cli.terminal import printable
from specspan.ledger.delivery import Delivery
from specspan.ledger.stream_files import stream_names


@click.command("ship")
@ledger_option
@click.option(
    "--to",
    "names",
    multiple=True,
    metavar="NAME",
    help="Decision exporter; repeatable.  [default: SPECSPAN_DECISION_EXPORTER]",
)
def command(folder: Path, names: Sequence[str]) -> None:
    """Deliver what backends do not have yet, such as decisions of a killed process, also beside processes that write.

    Exit code 1 where a backend did not take something; it stays the next thing to be delivered.
    """
    from specspan.runtime.environment import read_environment
    from specspan.runtime.otel_providers import DECISIONS, create_exporter

    failed = False
    for name in names or read_environment(os.environ).decisions:
        exporter = create_exporter(DECISIONS, name)
        delivery = Delivery(folder, quote(name, safe=""), exporter)
        with reading():
            streams = delivery.undelivered(stream_names(folder))
        busy = []
        try:
            busy = [stream for stream in streams if not delivery.deliver(stream)]
        except Exception as error:  # whatever a backend raises
            failed = True
            click.echo(printable(f"{name} did not take everything: {error!r}"), err=True)
        finally:
            delivery.close()
            exporter.shutdown()
        note = f"; {len(busy)} streams are being delivered by others" if busy else ""
        click.echo(printable(f"{name}: {delivery.delivered} records delivered{note}"))
    raise click.exceptions.Exit(int(failed))
