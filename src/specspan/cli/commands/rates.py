"""`specspan rates`: shares of calls that violate each clause, corrected for errors of judges and for sampling."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from specspan.calibration.calibration_file import Calibration, read_calibration
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.rate_words import percentage
from specspan.cli.rates_page import rates_page
from specspan.cli.storage import REMEDY, open_reader, since_option, store_options
from specspan.cli.terminal import clean, console, format_utc, print_json
from specspan.errors import StoreError
from specspan.rates.check_counts import GROUPS, count_by_check
from specspan.rates.rate import Rate, find_rates, rate_json, undecided


@click.command("rates")
@click.option("--by", type=click.Choice(GROUPS), default="clause", show_default=True, help="A row for each of these.")
@click.option(
    "--calibration",
    "calibration_files",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    envvar="SPECSPAN_CALIBRATION",
    show_envvar=True,
    help="What `specspan judge calibrate` wrote; repeatable, the last holds.",
)
@click.option("--html", "as_html", is_flag=True, help="Print a page that stands alone.")
@since_option
@store_options
def command(
    by: str,
    calibration_files: tuple[Path, ...],
    since: int | None,
    db: str | None,
    *,
    as_html: bool,
    as_json: bool,
) -> None:
    """Tell the share of calls that violate each clause, as each check finds it.

    A judge errs, so its raw share is wrong: the corrected one and its 95% interval take the errors that a calibration
    measured out again, and weigh calls by how likely they were chosen. Where that cannot be done, it says why.
    """
    if as_html and as_json:
        raise click.UsageError("Choose one of --html and --json.")
    calibrations = [read_calibration(path) for path in calibration_files]
    rates = _read_rates(db, since, by, calibrations)
    if as_json:
        print_json({"v": 1, "type": "rates", "by": by, "rates": [rate_json(rate) for rate in rates]})
    elif as_html:
        click.echo(rates_page(rates, by, _since_words(since)), nl=False)
    else:
        _print_table(rates, by)


def _read_rates(db: str | None, since: int | None, by: str, calibrations: Sequence[Calibration]) -> list[Rate]:
    with open_reader(db) as reader:
        counts = count_by_check(reader.iter_decisions(since), by=by)
        if not counts and since is None:
            raise StoreError(f"{reader.name}: no check looked at a call yet. {REMEDY}")
    return find_rates(counts, calibrations)


def _print_table(rates: Sequence[Rate], by: str) -> None:
    out = console()
    if not rates:
        out.print(Text("No check looked at a call in that time."))
        return
    table = ListTable(
        Column(by if by != "clause" else "", style="bold"),
        Column("clause", style="bold"),
        Column("check", gives_way=2),
        Column("decided", align_right=True),
        Column("undecided", gives_way=1, align_right=True),
        Column("raw", align_right=True),
        Column("corrected", align_right=True),
        Column("95% interval", align_right=True),
        Column("sensitivity", gives_way=4, align_right=True),
        Column("specificity", gives_way=4, align_right=True),
        Column("", gives_way=3, is_text=True),
    )
    for rate in rates:
        table.add_row(*_cells(rate, by))
    print_lines(out, table)


def _cells(rate: Rate, by: str) -> tuple[str | Text, ...]:
    check, estimate, sample = rate.counts.check, rate.estimate, rate.sample
    corrected: str | Text = Text("not estimable", "yellow")
    interval = ""
    if estimate.corrected is not None and estimate.interval is not None:
        corrected = Text(percentage(estimate.corrected), "bold")
        interval = f"{percentage(estimate.interval.low)} – {percentage(estimate.interval.high)}"
    sensitivity = specificity = ""
    if rate.calibration is not None:
        errors = rate.calibration.errors
        sensitivity, specificity = f"{errors.found} of {errors.violations}", f"{errors.cleared} of {errors.others}"
    return (
        (clean(check.group) or "–") if by != "clause" else "",
        clean(check.clause),
        clean(check.name),
        str(sample.calls),
        str(undecided(rate.counts)),
        "" if estimate.raw is None else f"{percentage(estimate.raw)} of {sample.calls}",
        corrected,
        interval,
        sensitivity,
        specificity,
        Text(clean(rate.problem), "dim"),
    )


def _since_words(since: int | None) -> str:
    return "Of all calls on record" if since is None else f"Of calls since {format_utc(since)}"
