"""Plug-in of pytest: `specspan_recorded`, a fixture, and `specspan`, a marker that names a policy.

It stands outside the package `specspan`, so that a run of tests which does not use it imports nothing but this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from specspan.testing import Recorded

FIXTURE, MARKER, OPTION = "specspan_recorded", "specspan", "specspan_policy"
_OPTIONS = ("policy", "mode", "environment", "clock")
_MARKER_HELP = (
    "specspan(policy, *, mode, environment, clock): record into memory what the test's model calls are decided to be "
    "under a policy, whose path is relative to the test's folder or the root folder"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting that names a policy for tests whose marker names none."""
    parser.addini(OPTION, "policy of tests that use specspan_recorded, relative to the root folder", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that strict suites know it."""
    config.addinivalue_line("markers", _MARKER_HELP)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have a marked test recorded whether or not it asks for the fixture."""
    names = getattr(item, "fixturenames", None)
    if isinstance(names, list) and FIXTURE not in names and item.get_closest_marker(MARKER) is not None:
        names.insert(0, FIXTURE)


@pytest.fixture
def specspan_recorded(request: pytest.FixtureRequest) -> Iterator[Recorded]:
    """Everything that model calls of the test record, in memory, with assertions about what was decided."""
    from specspan.testing import recorded  # not before a test needs it

    with recorded(**_options(request)) as what:
        yield what


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker(MARKER)
    options = {} if marker is None else dict(marker.kwargs)
    positional = () if marker is None else marker.args
    if len(positional) > 1 or (positional and "policy" in options) or not options.keys() <= {*_OPTIONS}:
        raise pytest.UsageError(f"invalid marker {MARKER}: it takes a policy, and {', '.join(_OPTIONS[1:])} by name")
    if positional:
        options["policy"] = positional[0]
    policy = options.get("policy") or request.config.getini(OPTION) or None
    options["policy"] = _found(policy, request) if isinstance(policy, str | Path) else policy
    return options


def _found(policy: str | Path, request: pytest.FixtureRequest) -> Path:
    """Return the path of a policy's file, below the test's folder or the root folder; else below the latter."""
    below_test, below_root = request.path.parent / policy, request.config.rootpath / policy
    return below_test if below_test.exists() else below_root
