"""Plug-in of pytest that writes down how each test ended, and keeps the tests off the network.

`PEER_OUTCOMES` names the file: JSON of a status by the address of the test. It runs in every mode.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

_statuses: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the worst status of a test's phases."""
    if report.failed:
        _statuses[report.nodeid] = "failed"
    elif report.when == "call" or report.skipped:
        _statuses.setdefault(report.nodeid, "passed" if report.passed else "skipped")


def pytest_sessionfinish() -> None:
    """Write down the statuses of all tests."""
    Path(os.environ["PEER_OUTCOMES"]).write_text(json.dumps(_statuses), encoding="utf-8")


def _refuse_network(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple) and not _is_local(arguments[1][0]):
        raise ConnectionRefusedError(f"peer suites have no network: {arguments[1]!r}")
    if event == "socket.getaddrinfo" and arguments[0] and not _is_local(arguments[0]):
        raise socket.gaierror(socket.EAI_NONAME, f"peer suites have no network: {arguments[0]!r}")


def _is_local(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


sys.addaudithook(_refuse_network)
