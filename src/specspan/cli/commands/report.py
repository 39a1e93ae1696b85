"""`specspan report`: what a committee or an auditor reads about a time."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from specspan.assurance.assurance_report import gather_report
from specspan.assurance.oscal import assessment_results
from specspan.cli.page_template import load_template
from specspan.cli.post_mortem import rate_words
from specspan.cli.rate_words import percentage
from specspan.cli.storage import db_option, open_reader, parse_when
from specspan.cli.terminal import json_text
from specspan.errors import MissingDependency, Problem
from specspan.incidents.incident_log import IncidentLog
from specspan.review.review_queue import ReviewQueue

FORMATS = ("html", "pdf", "json", "csv", "oscal")
_COLUMNS = ("clause", "violated", "decided", "share", "low", "high", "unassessed", "uncertain", "error", "overridden")


@click.command("report")
@click.option("--since", metavar="WHEN", required=True, callback=parse_when, help="An age (30d) or a date.")
@click.option("--until", metavar="WHEN", callback=parse_when, help="The end, likewise.  [default: now]")
@click.option("--format", "format_", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: printed]")
@db_option
def command(since: int, until: int | None, format_: str, output: Path | None, db: str | None) -> None:
    """Report what was in force, what was decided by clause, and what was done, in whole hours of a time.

    The same records make the same bytes. Every share stands with its denominator and its interval.
    """
    end = time.time_ns() if until is None else until
    if end <= since:
        raise click.UsageError("--until is not after --since.")
    incidents, reviews = IncidentLog(db), ReviewQueue(db)
    try:
        with open_reader(db) as reader:
            report = gather_report(reader, incidents, reviews, since, end)
    finally:
        incidents.close()
        reviews.close()
    data = _render(report, format_)
    try:
        if output is not None:
            output.write_bytes(data)
        else:
            click.echo(data, nl=False)
    except OSError as error:
        raise click.ClickException(f"the report cannot be written: {error}") from error


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
    return template.render(report=report, rate_words=rate_words, percentage=percentage, worst=worst)


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
