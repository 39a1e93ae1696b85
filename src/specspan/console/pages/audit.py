"""Audit: who saw the content of which calls, and when."""

from __future__ import annotations

import re

from starlette.responses import Response

from specspan.console.visit import NavigationEntry, Visit, page_route
from specspan.stores.people import Role

_PAGE_SIZE = 100
_AFTER = re.compile(r"(\d{1,19})-([0-9a-z-]{1,64})")


def audit(visit: Visit) -> Response:
    """Return the record of views, the latest first."""
    match = _AFTER.fullmatch(visit.parameter("after"))
    before = (min(int(match[1]), 2**63 - 1), match[2]) if match else None
    found = visit.console.audit.views(_PAGE_SIZE + 1, before)
    page = found[:_PAGE_SIZE]
    after = f"{page[-1].time_unix_nano}-{page[-1].id}" if len(found) > _PAGE_SIZE else None
    return visit.page("audit.html", views=page, after=after, is_first=before is None)


NAVIGATION = NavigationEntry(60, "/audit", "Audit", Role.ADMIN)
ROUTES = [page_route("/audit", audit, Role.ADMIN)]
