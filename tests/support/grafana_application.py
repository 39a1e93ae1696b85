"""An application that Prometheus scrapes, a process of its own: ``grafana_application.py POLICY SERVICE PORT``.

Without a PORT it makes a few rounds of calls, hands over what was recorded, and waits until standard input ends. The
service `desk` does all that may go wrong, again and again, `calm` nothing of it.
"""

from __future__ import annotations

import contextlib
import select
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

import specspan

PAUSE_S = 0.05
RELOAD_S = 0.1
ROUNDS = 12
"""In so many, a clause that is looked at on half of the calls is found violated."""
ANSWERS = (
    "Good morning.",
    "Good evening.",
    "You are stupid.",
    "The number is 1234.",
    "And furthermore, no.",
    "It is roughly so.",
)


class Broken:
    """An exporter that loses every decision."""

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        raise OSError("as it must")

    def shutdown(self) -> None:
        """Nothing to let go of."""


@specspan.observe(model="parrot", provider="local")
def parrot(answer: str) -> str:
    """A model that says what it is told."""
    return answer


def round_of_calls(service: str) -> None:
    """Calls of every kind."""
    if service != "desk":
        parrot(ANSWERS[0])
        return
    for answer in ANSWERS:
        with contextlib.suppress(specspan.Blocked):
            parrot(answer)
    with specspan.override("guard_numbers", by="user", reason="please"):
        parrot(ANSWERS[0])


def main(policy: str, service: str, port: str | None = None) -> None:
    """Call until standard input ends."""
    if port is None:
        specspan.configure(policy=policy, service_name=service)
        for _ in range(ROUNDS):
            round_of_calls(service)
        specspan.force_flush()
        sys.stdin.read()
        specspan.shutdown()
        return
    provider = MeterProvider([PrometheusMetricReader()])
    exporters = [Broken()] if service == "desk" else []
    specspan.configure(
        policy=policy, service_name=service, meter_provider=provider, decision_exporters=exporters, reload=RELOAD_S
    )
    start_http_server(int(port), "127.0.0.1")
    while not select.select([sys.stdin], [], [], PAUSE_S)[0]:
        round_of_calls(service)


if __name__ == "__main__":
    main(*sys.argv[1:])
