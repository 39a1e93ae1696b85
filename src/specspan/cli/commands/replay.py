"""`specspan replay`: recorded calls, decided again by another policy."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from specspan.cli.options import environment_option, import_modules, import_option
from specspan.cli.replay_page import replay_page
from specspan.cli.replay_view import replay_lines
from specspan.cli.storage import open_reader, since_option, store_options
from specspan.cli.terminal import console, list_width, print_json, print_pages
from specspan.policy.load import load_policy
from specspan.replay.report import build_report
from specspan.replay.report_json import report_json
from specspan.replay.reviewed_rulings import rulings_before_review
from specspan.replay.run import Replay, Window, window_of_state
from specspan.spec.read import find_spec, load_spec
from specspan.stores.protocols import StoreReader

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("replay")
@click.option("--policy", type=_FILE, required=True, envvar="SPECSPAN_POLICY", help="The policy to decide by.")
@click.option("--spec", metavar="SPEC", help="In place of the spec that the policy names.")
@click.option("--baseline", type=_FILE, help="Compare with this policy instead of what was recorded.")
@click.option(
    "--judge",
    "judges",
    type=click.Choice(("recorded", "ask")),
    default="recorded",
    show_default=True,
    help="Take what judges found then, or ask those who were not asked.",
)
@click.option("--state", type=_FILE, metavar="FILE", help="Keep here how far it got, and go on from there.")
@click.option("--html", "as_html", is_flag=True, help="Print a page that stands alone.")
@click.option("--exit-code", is_flag=True, help="End with 1 where anything changed.")
@since_option
@store_options
@environment_option
@import_option
def command(
    policy: Path,
    spec: str | None,
    baseline: Path | None,
    judges: str,
    state: Path | None,
    since: int | None,
    db: str | None,
    environment: str | None,
    modules: tuple[str, ...],
    *,
    as_html: bool,
    as_json: bool,
    exit_code: bool,
) -> None:
    """Decide recorded calls again by another policy, spec or check, and say what changes.

    Calls whose content was recorded are decided by the engine that decides calls, at their own time and with their own
    draws; of the others, findings of checks that are the same. What a record cannot tell is counted as unknown.
    """
    if as_html and as_json:
        raise click.UsageError("Choose one of --html and --json.")
    with import_modules(modules):
        loaded_spec = None if spec is None else load_spec(find_spec(spec, Path()))
        new = load_policy(policy, spec=loaded_spec, environment=environment)
        old = None if baseline is None else load_policy(baseline, environment=environment)
        window = None if state is None or not state.exists() else window_of_state(state)
        window = Window(since, time.time_ns()) if window is None else window
        replay = Replay(new, window, old, asks_judges=judges == "ask")
        with open_reader(db) as reader, _progress(reader, window) as on_call:
            calls = replay.run(reader, state, on_call, rulings_before_review(db))
    report = build_report(replay.differences)
    if as_json:
        print_json(report_json(replay, calls, report))
    elif as_html:
        click.echo(replay_page(replay, calls, report), nl=False)
    else:
        out = console()
        print_pages(out, *replay_lines(replay, calls, report, list_width(out)))
    if exit_code and report.equal < report.calls:
        sys.exit(1)


@contextmanager
def _progress(reader: StoreReader, window: Window) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error while the block lasts, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    total = sum(group.calls for group in reader.statistics(None, window.since_unix_nano))
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("replay", total=total)
        yield lambda done: progress.update(task, completed=done)
