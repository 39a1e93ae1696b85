"""`specspan prometheus`: rules and runbooks for a policy."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.calibration.calibration_file import read_calibration
from specspan.cli.options import environment_option, import_option
from specspan_exporter_prometheus.corrected import uncorrected_clauses
from specspan_exporter_prometheus.files import load_with_checks, write_file
from specspan_exporter_prometheus.links import JAEGER, Links
from specspan_exporter_prometheus.rules import rules_of
from specspan_exporter_prometheus.runbooks import runbooks_of
from specspan_exporter_prometheus.windows import Pace


@click.group("prometheus")
def command() -> None:
    """Make Prometheus rules and runbooks from a policy."""


@command.command("rules")
@click.argument("policy", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, in place of what it holds.")
@click.option("--runbook-url", default="runbooks", show_default=True, help="Where the runbooks are served.")
@click.option("--traces-url", default=JAEGER, show_default=True, help="Traces of a {clause} in a {service}.")
@click.option(
    "--test-intervals",
    type=click.FloatRange(min=1),
    default=1,
    metavar="N",
    help="Divide every window by N, for tests.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Record shares that judges find, corrected by it.",
)
@environment_option
@import_option
def rules(
    policy: Path,
    output: Path | None,
    runbook_url: str,
    traces_url: str,
    test_intervals: float,
    calibration: Path | None,
    environment: str | None,
    modules: tuple[str, ...],
) -> None:
    """Write recording and alerting rules for the policy in POLICY."""
    links, loaded = Links(runbook_url, traces_url), load_with_checks(policy, environment, modules)
    found = None if calibration is None else read_calibration(calibration)
    text = rules_of(loaded, links, Pace(test_intervals), found).text
    without = [] if found is None else sorted(uncorrected_clauses(loaded, found))
    if without:
        click.echo(f"No corrected share is recorded of: {', '.join(without)}.", err=True)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_file(output, text)


@command.command("runbooks")
@click.argument("policy", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@environment_option
@import_option
def runbooks(policy: Path, folder: Path, environment: str | None, modules: tuple[str, ...]) -> None:
    """Write a page for every clause that alerts into FOLDER."""
    pages = runbooks_of(load_with_checks(policy, environment, modules))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.ClickException(f"{folder} cannot be made: {error.strerror}.") from error
    for name, text in pages.items():
        write_file(folder / name, text)
    click.echo(f"Wrote {len(pages)} pages to {folder}.", err=True)
