"""`specspan grafana`: dashboards, alert rules and the tree of files that Grafana reads."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from specspan.cli.options import environment_option, import_option
from specspan_exporter_grafana.naming import Naming
from specspan_exporter_grafana.writing import ForeignFiles, write_tree
from specspan_exporter_prometheus.files import load_with_checks, write_file
from specspan_exporter_prometheus.links import JAEGER, Links

F = TypeVar("F", bound=Callable[..., Any])


def _naming(_context: click.Context, _option: click.Parameter, name: str) -> Naming:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,20}", name):
        raise click.BadParameter(f"invalid name {name!r}. Use at most 20 letters, digits, '_' and '-'.")
    return Naming(name)


def _policy_options(command: F) -> F:
    """Add the options of every command: the policy, its checks and environment, and the name."""
    for decorate in (
        click.option(
            "--name",
            "naming",
            default="specspan",
            show_default=True,
            callback=_naming,
            help="What folder, files and uids are called; one name for each policy in a Grafana.",
        ),
        import_option,
        environment_option,
        click.argument("policy", type=click.Path(path_type=Path)),
    ):
        command = decorate(command)
    return command


def _alert_options(command: F) -> F:
    """Add the options of alerts: their links and their data source."""
    for decorate in (
        click.option("--prometheus-uid", metavar="UID", help="A Prometheus data source that Grafana has already."),
        click.option("--traces-url", default=JAEGER, show_default=True, help="Traces of a {clause} in a {service}."),
        click.option("--runbook-url", default="runbooks", show_default=True, help="Where the runbooks are served."),
    ):
        command = decorate(command)
    return command


_force = click.option("--force", is_flag=True, help="Write over files of others, and over changed ones.")


@click.group("grafana")
def command() -> None:
    """Make Grafana dashboards and alert rules from a policy."""


@command.command("dashboards")
@_policy_options
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--loki", is_flag=True, help="With findings as log records.")
@_force
def dashboards(
    policy: Path,
    folder: Path,
    naming: Naming,
    loki: bool,
    force: bool,
    environment: str | None,
    modules: tuple[str, ...],
) -> None:
    """Write dashboards for the policy in POLICY into FOLDER."""
    from specspan_exporter_grafana.dashboards import dashboards_of

    files = dashboards_of(load_with_checks(policy, environment, modules), naming, logs=loki)
    _write(folder, naming, files, force)


@command.command("alerts")
@_policy_options
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, in place of what it holds.")
@_alert_options
def alerts(
    policy: Path,
    output: Path | None,
    naming: Naming,
    runbook_url: str,
    traces_url: str,
    prometheus_uid: str | None,
    environment: str | None,
    modules: tuple[str, ...],
) -> None:
    """Write alert rules that Grafana evaluates, for the policy in POLICY."""
    from specspan_exporter_grafana.provisioning import alerts_text

    links = Links(runbook_url, traces_url)
    text = alerts_text(load_with_checks(policy, environment, modules), links, naming, prometheus_uid)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_file(output, text)


@command.command("provision")
@_policy_options
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--prometheus-url", default="http://localhost:9090", show_default=True, help="Empty: no such data source."
)
@click.option("--tempo-url", default="http://localhost:3200", show_default=True, help="Likewise.")
@click.option("--jaeger-url", default="http://localhost:16686", show_default=True, help="Likewise.")
@click.option("--loki-url", help="With findings as log records.")
@click.option("--seen-at", default="/etc/grafana/provisioning", show_default=True, help="FOLDER, as Grafana sees it.")
@_force
@_alert_options
def provision(
    policy: Path,
    folder: Path,
    naming: Naming,
    force: bool,
    seen_at: str,
    runbook_url: str,
    traces_url: str,
    prometheus_uid: str | None,
    environment: str | None,
    modules: tuple[str, ...],
    **urls: str | None,
) -> None:
    """Write all that Grafana reads at its start for the policy in POLICY into FOLDER."""
    from specspan_exporter_grafana.provisioning import Addresses, provisioning_of

    addresses = Addresses(**{name.removesuffix("_url"): url or None for name, url in urls.items()})
    links = Links(runbook_url, traces_url)
    loaded = load_with_checks(policy, environment, modules)
    files = provisioning_of(loaded, addresses, links, naming, prometheus_uid=prometheus_uid, seen_at=seen_at)
    _write(folder, naming, files, force)


def _write(folder: Path, naming: Naming, files: Mapping[str, str], force: bool) -> None:
    try:
        result = write_tree(folder, naming.name, files, force=force)
    except ForeignFiles as refused:
        listed = "\n".join(f"  {folder / path}" for path in refused.paths)
        raise click.ClickException(
            f"these files were not written by `specspan grafana`, or were changed since:\n{listed}\n"
            "Move them away, or write over them with --force."
        ) from refused
    except OSError as error:
        raise click.ClickException(f"{error.filename or folder} cannot be written: {error.strerror}.") from error
    removed = f", {len(result.removed)} taken away" if result.removed else ""
    click.echo(f"Wrote {result.files} files to {folder}{removed}.", err=True)
