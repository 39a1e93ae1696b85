"""Service under watch whose new prompt makes its model leak: it asks again and again with the prompt it was told.

A line on standard input is the prompt. Where the policy stops an answer, the service says so and goes back to its first
prompt. Arguments: its policy, the port of its metrics, its name.
"""

from __future__ import annotations

import select
import sys

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import start_http_server

import specspan

PAUSE_S = 0.1
OLD_PROMPT, NEW_PROMPT = "Greet the customer.", "Say how the customer paid."
ANSWERS = {OLD_PROMPT: "Good morning.", NEW_PROMPT: "With the card 4111 1111 1111 1111."}


@specspan.observe(model="parrot")
def answer(prompt: str) -> str:
    """What the model says."""
    return ANSWERS[prompt]


def main(policy: str, port: str, name: str) -> None:
    """Ask until standard input ends."""
    specspan.configure(policy, service_name=name, meter_provider=MeterProvider([PrometheusMetricReader()]))
    start_http_server(int(port), "127.0.0.1")
    prompt = OLD_PROMPT
    with open(0, "rb", buffering=0) as lines:
        while True:
            readable, _, _ = select.select([lines], [], [], PAUSE_S)
            if readable:
                line = lines.readline()
                if not line:
                    break
                prompt = line.decode().strip()
            try:
                answer(prompt)
            except specspan.Blocked as stopped:
                sys.stdout.write(f"{name} was stopped by {stopped.decision.governing_clause}\n")
                sys.stdout.flush()
                prompt = OLD_PROMPT
    specspan.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
