"""Dashboards of a policy."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.policy.policy import Policy
from specspan_exporter_grafana.checks_page import checks_page
from specspan_exporter_grafana.clause_page import clause_page
from specspan_exporter_grafana.naming import Naming
from specspan_exporter_grafana.overview import overview
from specspan_exporter_grafana.pages import Page, dashboard_of
from specspan_exporter_grafana.versions import versions


def dashboards_of(policy: Policy, naming: Naming | None = None, *, logs: bool = False) -> dict[str, str]:
    """Return JSON by file name: an overview, a page for every clause that has checks, versions of the spec, the checks.

    Args:
        policy: the clauses and their objectives.
        naming: the start of uids and file names.
        logs: True adds findings as log records, from Loki.
    """
    naming = naming or Naming()
    return {f"{naming.uid(*page.id)}.json": dashboard_of(page, naming) for page in _pages(policy, logs)}


def _pages(policy: Policy, logs: bool) -> Iterator[Page]:
    yield overview(logs)
    for name, bound in policy.clauses.items():
        if bound.checks:
            yield clause_page(policy, name, bound, logs)
    yield versions()
    yield checks_page()
