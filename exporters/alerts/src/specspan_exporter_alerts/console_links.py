"""Links of alerts into the console, whose address the environment names."""

from __future__ import annotations

import os

from specspan_exporter_alerts.alerts import Alert
from specspan_exporter_alerts.delivery import check_url

VARIABLE = "SPECSPAN_CONSOLE_URL"


def console_url() -> str | None:
    """Return the address of the console; None where none is named.

    Raises:
        ConfigurationError: it is no address.
    """
    address = os.environ.get(VARIABLE, "").strip()
    return check_url(address, VARIABLE).rstrip("/") if address else None


def link(base: str | None, alert: Alert) -> str | None:
    """Return the address of the page on which an alert is looked at; None without a console."""
    return None if base is None else base + alert.console_path
