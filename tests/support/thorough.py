"""Plug-in of pytest that leaves the dear tests to ``--thorough``: what a quick run does not run is said here alone.

Without the option

- a test with ``@pytest.mark.thorough`` is left out, a table of them whole;
- of a test with ``@pytest.mark.table`` those rows run that show something new: one for each value of each part of the
  row's id, in the order of the table (``anthropic-p01-null-stream-block`` has five parts);
- of a test with ``@pytest.mark.table(every=5)`` each fifth row runs, from the first one on;
- a property with ``max_examples=examples(n)`` tries a fifth of its ``n`` examples.

The choice depends on the tests alone, not on chance. A test that is named by its address (``path::test``) always runs,
and so does everything with the option: `make test-thorough`, `make environments` and `.ci/run`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pytest

QUICK_SHARE = 5
"""Examples of a property of which a quick run tries one."""
_is_thorough = False


def is_thorough() -> bool:
    """Return True if nothing is left out."""
    return _is_thorough


def examples(number: int) -> int:
    """Return how many of the examples of a property this run tries."""
    return number if _is_thorough else max(1, number // QUICK_SHARE)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.addoption("--thorough", action="store_true", help="every test, every row of a table, every example")


def pytest_configure(config: pytest.Config) -> None:
    """Add the marks, and tell `examples` what is asked for."""
    global _is_thorough
    _is_thorough = config.getoption("--thorough")
    config.addinivalue_line("markers", "thorough: left to --thorough, as it is dear")
    config.addinivalue_line(
        "markers", "table(every): without --thorough, one row for each value of each part of its id"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a quick run does not run."""
    if _is_thorough or any("::" in each for each in config.args):
        return
    kept = set(_quick(items))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def _quick(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """Yield the tests of a quick run."""
    tables: dict[str, list[pytest.Function]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("thorough"):
            continue
        if isinstance(item, pytest.Function) and item.get_closest_marker("table"):
            tables[item.nodeid.partition("[")[0]].append(item)
        else:
            yield item
    for shuffled in tables.values():
        rows = sorted(shuffled, key=lambda row: tuple(row.callspec.indices.values()))
        every = next(rows[0].iter_markers("table")).kwargs.get("every", 0)
        yield from rows[::every] if every else _covering(rows)


def _covering(rows: Iterable[pytest.Function]) -> Iterator[pytest.Function]:
    """Yield the rows with a part that no row before them has at its place in the id."""
    seen: set[tuple[int, str]] = set()
    for row in rows:
        parts = set(enumerate(row.callspec.id.split("-")))
        if parts - seen:
            seen |= parts
            yield row
