"""Fixtures for every test: internal errors are raised, shared material is found or skipped by name."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from replays import Tally, table
from thorough import examples

from specspan.instrument.gate import lift_after_shutdown

os.environ["SPECSPAN_RAISE_INTERNAL_ERRORS"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise importing it asks the network
# What every process of the suite pays: no test speaks TLS, and clients load every authority of the machine for each
# client; a plug-in of pydantic imports half of logfire with the first model; source is compiled once, not by each.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).parent / "support" / "authority.pem")
os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long one example takes depends on what else the machine does; tests that bound time say so themselves.
settings.register_profile("specspan", deadline=None, max_examples=examples(100))
settings.load_profile("specspan")

SHARED = Path(__file__).resolve().parents[1].parent / "shared"


@pytest.fixture(scope="session")
def model_specs() -> Path:
    """The folder of published Model Spec revisions, or a skip that says it is absent."""
    folder = SHARED / "specs" / "openai-model-spec"
    if not folder.is_dir():
        pytest.skip("../shared/specs is absent")
    return folder


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded provider traffic, or a skip that says it is absent."""
    folder = SHARED / "recordings"
    if not folder.is_dir():
        pytest.skip("../shared/recordings is absent")
    return folder


@pytest.fixture(autouse=True)
def nothing_enforced_after_shutdown() -> Iterator[None]:
    """A policy that a test shut down does not hold in the next one."""
    yield
    lift_after_shutdown()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Tally:
    """Counts the recorded exchanges that a test replays."""
    return Tally(request.node.user_properties)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files that take long, each run by one worker: begun last, they would leave the others without work."""
    items.sort(key=lambda item: not any(map(item.get_closest_marker, ("xdist_group", "table"))))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while the tests and their libraries are imported, which leaves none: a seventh of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Leave what was imported out of every later collection: many tests ask for one, to see what is left over."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many recorded exchanges were replayed; what parallel workers count travels with their reports."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    lines = list(table(each for report in reports for each in getattr(report, "user_properties", ())))
    if lines:
        terminalreporter.section("recorded exchanges replayed")
        terminalreporter.write_line("\n".join(lines))
