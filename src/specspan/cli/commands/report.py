"""`specspan report`: what a committee or an auditor reads about a time."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import click

from specspan.approvals.approval_store import ApprovalStore
from specspan.assurance.assurance_report import ReportSources, gather_report
from specspan.assurance.oscal import assessment_results
from specspan.calibration.calibration_file import read_calibration
from specspan.cli.ledger_view import condition, counts, known_keys, reading
from specspan.cli.page_template import load_template
from specspan.cli.post_mortem import rate_words
from specspan.cli.rate_words import percentage
from specspan.cli.storage import db_option, open_reader, parse_when
from specspan.cli.terminal import json_text
from specspan.errors import MissingDependency, Problem
from specspan.incidents.incident_log import IncidentLog
from specspan.ledger.audit import audit
from specspan.review.review_queue import ReviewQueue

FORMATS = ("html", "pdf", "json", "csv", "oscal")
_COLUMNS = ("clause", "violated", "decided", "share", "low", "high", "unassessed", "uncertain", "error", "overridden")


@click.command("report")
@click.option("--since", metavar="WHEN", required=True, callback=parse_when, help="An age (30d) or a date.")
@click.option("--until", metavar="WHEN", callback=parse_when, help="The end, likewise.  [default: now]")
@click.option("--service", metavar="NAME", help="Calls of this service alone.")
@click.option(
    "--calibration",
    "calibration_files",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    envvar="SPECSPAN_CALIBRATION",
    show_envvar=True,
    help="Correct the shares of judges by what `specspan judge calibrate` wrote; repeatable, the last holds.",
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="SPECSPAN_LEDGER",
    show_envvar=True,
    help="Check the ledger in this folder, and say what it accounts for.",
)
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Public key of the ledger, or a file of them.")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: printed]")
@db_option
def command(
    since: int,
    until: int | None,
    service: str | None,
    calibration_files: tuple[Path, ...],
    ledger: Path | None,
    keys: tuple[str, ...],
    format_: str,
    output: Path | None,
    db: str | None,
) -> None:
    """Report what was in force, what was decided by clause, and what was done, in whole hours of a time.

    The same records make the same bytes. Every share stands with its denominator and its interval.
    """
    end = time.time_ns() if until is None else until
    if end <= since:
        raise click.UsageError("--until is not after --since.")
    calibrations = [read_calibration(path) for path in calibration_files]
    checked = None if ledger is None else _check_ledger(ledger, keys)
    with ExitStack() as stack:
        incidents = stack.enter_context(closing(IncidentLog(db)))
        reviews = stack.enter_context(closing(ReviewQueue(db)))
        approvals = stack.enter_context(closing(ApprovalStore(db)))
        sources = ReportSources(incidents, reviews, approvals, calibrations, checked)
        reader = stack.enter_context(open_reader(db))
        if service is not None and service not in (known := reader.services()):
            raise click.ClickException(f"no service {service!r} is in {reader.name}; it has {', '.join(known[:8])}")
        report = gather_report(reader, sources, since, end, service)
    data = _render(report, format_)
    try:
        if output is not None:
            output.write_bytes(data)
        else:
            click.echo(data, nl=False)
    except OSError as error:
        raise click.ClickException(f"the report cannot be written: {error}") from error


def _check_ledger(folder: Path, keys: Sequence[str]) -> dict[str, Any]:
    known, source = known_keys(folder, keys)
    with reading():
        found = audit(folder, known)
    streams = [{"stream": each.name, "condition": condition(each), "counts": counts(each)} for each in found.streams]
    fault = None if found.fault is None else found.fault.value
    return {
        "fault": fault,
        "keys": source,
        **found.accounts,
        "streams": streams,
        "quarantined": list(found.quarantined),
    }


def _render(report: Mapping[str, Any], format_: str) -> bytes:
    if format_ == "json":
        return (json_text(report) + "\n").encode()
    if format_ == "oscal":
        return (json_text(assessment_results(report)) + "\n").encode()
    if format_ == "csv":
        return _csv(report).encode()
    page = _page(report)
    return page.encode() if format_ == "html" else _pdf(page)


def _page(report: Mapping[str, Any]) -> str:
    template = load_template("report.html", "specspan report")
    worst = max((clause["violations"]["share"] or 0 for clause in report["clauses"]), default=0) or 1
    words = {"rate_words": rate_words, "percentage": percentage, "calibration_words": _calibration_words}
    return template.render(report=report, worst=worst, **words)


def _calibration_words(rate: Mapping[str, Any]) -> str:
    errors = rate["calibration"] or {}
    return ", ".join(f"{name} {each['agreed']} of {each['of']}" for name, each in errors.items()) or "–"


def _pdf(page: str) -> bytes:
    try:
        from weasyprint import HTML
    except (ModuleNotFoundError, OSError):  # OSError: Pango is not there
        problem = Problem("needs 'weasyprint' and Pango for a PDF", "Run: pip install 'specspan[pdf]'")
        raise MissingDependency("specspan report --format pdf", problem) from None
    made: bytes = HTML(string=page, url_fetcher=_fetch_nothing).write_pdf()
    return made


def _fetch_nothing(url: str, *_arguments: Any, **_more: Any) -> Any:
    raise ValueError(f"a report fetches nothing: {url}")


def _csv(report: Mapping[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for clause in report["clauses"]:
        violations, findings = clause["violations"], clause["findings"]
        low, high = violations["interval"] or (None, None)
        others = [findings.get(outcome, 0) for outcome in _COLUMNS[6:]]
        row = (clause["clause"], violations["violated"], violations["of"], violations["share"], low, high, *others)
        writer.writerow(["" if cell is None else _inert(cell) for cell in row])
    return text.getvalue()


def _inert(cell: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" else cell
