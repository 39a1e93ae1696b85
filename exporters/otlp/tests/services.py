"""Two services of one trace, each a process: a gateway that knows nothing of specspan, and an agent under a policy.

``services.py gateway POLICY ANSWER...`` makes a trace for each answer, has an agent of its own say it, and prints the
ids of the traces.
"""

from __future__ import annotations

import json
import subprocess
import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import set_span_in_context

import specspan


@specspan.observe(model="parrot")
def parrot(question: str, answer: str) -> str:
    """A model that says what it is told."""
    return answer


def tracer_provider(service: str) -> TracerProvider:
    """One that exports everything."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def gateway(policy: str, *answers: str) -> None:
    """Ask the agent; its spans are out before those of the gateway."""
    provider = tracer_provider("gateway")
    spans = [provider.get_tracer("gateway").start_span("ask") for _ in answers]
    asked = []
    for span, answer in zip(spans, answers, strict=True):
        headers: dict[str, str] = {}
        inject(headers, set_span_in_context(span))
        asked.append({"headers": headers, "answer": answer})
    subprocess.run([sys.executable, __file__, "agent", policy, json.dumps(asked)], check=True, timeout=60)
    for span in spans:
        span.end()
    provider.shutdown()
    print(json.dumps([f"{span.get_span_context().trace_id:032x}" for span in spans]))  # noqa: T201 - read by the test


def agent(policy: str, asked: str) -> None:
    """Answer each question in its own trace."""
    provider = tracer_provider("agent")
    specspan.configure(policy=policy, tracer_provider=provider)
    for each in json.loads(asked):
        with provider.get_tracer("agent").start_as_current_span("work", extract(each["headers"])):
            parrot("Hello?", each["answer"])
    specspan.shutdown()
    provider.shutdown()


if __name__ == "__main__":
    role, *given = sys.argv[1:]
    (gateway if role == "gateway" else agent)(*given)
