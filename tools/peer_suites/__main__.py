"""Other people's test suites, with and without specspan: python -m tools.peer_suites [OPTIONS] [NAME ...].

Each suite of `suites.yaml` runs without specspan, observing, enforcing a policy that matches nothing, and with checks
that have a time limit. A test that passes without and not with specspan is worse, if it ends so again when it is run
alone. The exit code is 1 where a test is worse, a mode made no span, or something inside specspan failed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from tools.peer_suites.comparison import Difference, Row, compare, load_differences
from tools.peer_suites.described import described_server
from tools.peer_suites.environment import make_environment
from tools.peer_suites.loopback import loopback_server
from tools.peer_suites.page import names, table, table_row, write_page
from tools.peer_suites.run import MODES, WITHOUT, run_suite
from tools.peer_suites.suite import ROOT, NotToBeHadError, Suite, load_suites


def main(arguments: Sequence[str]) -> int:
    """Run the suites and print the table. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.peer_suites", description="Other people's test suites.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="suites of suites.yaml; by default all")
    parser.add_argument("--quick", action="store_true", help="only the parts that are quick")
    parser.add_argument("--tests", nargs="+", default=(), help="only these tests of the one suite that is named")
    parser.add_argument("--mode", action="append", choices=MODES, help="only this mode; may be repeated")
    parser.add_argument("--available", action="store_true", help="leave out, and name, what the registry does not give")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md anew")
    options = parser.parse_args(arguments)
    if options.tests and len(options.names) != 1:
        parser.error("--tests needs the name of one suite before it")
    suites = [suite for suite in load_suites(options.names) if suite.quick or not options.quick]
    differences = load_differences()
    with loopback_server() as base_url:
        run = partial(
            _rows,
            modes=options.mode or tuple(MODES),
            base_url=base_url,
            differences=differences,
            commit=_commit(),
            is_quick=options.quick,
            tests=tuple(options.tests),
            leaves_out=options.available,
        )
        with ThreadPoolExecutor(os.cpu_count() if options.quick else 1) as pool:  # long suites have the machine alone
            rows = [row for rows in pool.map(run, suites) for row in rows]
    print("\n".join((*table(rows), "", *names(rows))))
    if options.write:
        write_page(rows, differences, [suite.name for suite in load_suites()])
    return 0 if all(row.is_good for row in rows) else 1


def _rows(
    suite: Suite,
    modes: Sequence[str],
    base_url: str,
    differences: Sequence[Difference],
    commit: str,
    *,
    is_quick: bool,
    tests: tuple[str, ...],
    leaves_out: bool,
) -> list[Row]:
    """Run a suite in some modes."""
    try:
        make_environment(suite)
    except NotToBeHadError as error:
        if not leaves_out:
            raise
        print(f"{suite.name} left out: {error}", flush=True)
        return []
    arguments = tests or (suite.quick if is_quick else suite.arguments)
    version = suite.version if arguments == suite.arguments else f"{suite.version} (part)"
    rows = []
    with _server(suite, base_url, is_quick=is_quick) as address:
        without = run_suite(suite, WITHOUT, arguments, address)
        for mode in modes:
            instrumented = run_suite(suite, mode, arguments, address)
            row = replace(compare(suite.name, version, mode, without, instrumented, differences), commit=commit)
            if row.worse:
                row = replace(row, worse=_confirmed(suite, mode, row.worse, address))
            print(table_row(row), file=sys.stderr, flush=True)
            rows.append(row)
    return rows


@contextmanager
def _server(suite: Suite, base_url: str, *, is_quick: bool) -> Iterator[str]:
    """Yield the address of the server that the tests of a suite call: ours, but for whole suites with a description."""
    with ExitStack() as running:
        if suite.description and not is_quick:
            try:
                base_url = running.enter_context(described_server(suite.description, suite.folder / "server.log"))
            except NotToBeHadError as error:
                print(f"{suite.name}: our own server stands in for its description: {error}", file=sys.stderr)
        yield base_url


def _confirmed(suite: Suite, mode: str, worse: Sequence[str], base_url: str) -> tuple[str, ...]:
    """Return those of the tests that are worse again when they run alone."""
    without, instrumented = (run_suite(suite, each, worse, base_url) for each in (WITHOUT, mode))
    return tuple(test for test in worse if test in without.passed - instrumented.passed)


def _commit() -> str:
    """Return the commit that is run, with a ``+`` where files were changed since; empty outside a repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    asked = (("rev-parse", "--short=7", "HEAD"), ("status", "--porcelain", "--", "src", "tools/peer_suites"))
    commit, changed = (
        subprocess.run((git, *each), cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - our own
        for each in asked
    )
    return f"{commit}+" if changed else commit


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
