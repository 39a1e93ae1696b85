"""An application with a policy, run by the tests as a process of its own: ``application.py SERVICE SPEC_VERSION``.

In the first version of its spec, `keep_numbers_private` is the developer's; in the second it stands at the root. It
prints which trace is which, and what it did an hour and a half ago it writes down with that time.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link

import specspan
from specspan.sqlite import SQLiteSpanExporter

SPEC = """\
---
version: "{version}"
---
# Rules of a desk {{#desk}}

## Keep numbers private {{#keep_numbers_private authority={authority}}}

No account number leaves the house.

## Keep secrets {{#keep_secrets authority=root}}

No password leaves the house.

## Be kind {{#be_kind authority=user}}

Call nobody names.
"""
POLICY = """\
spec: spec-{version}.md
clauses:
  keep_numbers_private:
    severity: high
    action: block
    checks:
      - pattern: {{stage: output, any: ['\\b\\d{{3}}-\\d{{2}}-\\d{{4}}\\b'], reason: account_number}}
  keep_secrets:
    action: block
    checks:
      - pattern: {{stage: output, any: ['\\bpassword is\\b'], reason: password}}
  be_kind:
    checks:
      - pattern: {{stage: output, any: ['\\bfool\\b'], reason: name}}
"""
ANSWERS = {
    "number": "It is 123-45-6789.",
    "secret": "The password is swordfish.",
    "number and secret": "It is 123-45-6789 and the password is swordfish.",
    "number and name": "It is 123-45-6789, you fool.",
    "nothing": "Good morning.",
}


@specspan.observe(model="parrot-1", provider="local")
def parrot(answer: str) -> str:
    """A model that says what it is told."""
    return answer


def main(service: str, version: str) -> None:
    """Make a call of each kind, each in a trace of its own that is linked to the one before."""
    authority = "root" if version == "2" else "developer"
    Path(f"spec-{version}.md").write_text(SPEC.format(version=version, authority=authority), encoding="utf-8")
    policy = Path(f"policy-{version}.yaml")
    policy.write_text(POLICY.format(version=version), encoding="utf-8")
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    for exporter in (OTLPSpanExporter(), SQLiteSpanExporter()):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    specspan.configure(policy=policy, tracer_provider=provider)
    tracer = provider.get_tracer("desk")
    traces: dict[str, str] = {}
    links: list[Link] = []
    for kind, answer in ANSWERS.items():
        with tracer.start_as_current_span("answer", links=links) as span:
            parrot(answer)
            links = [Link(span.get_span_context(), {"desk.order": "before"})]
        traces[f"{kind} under {version}"] = f"{span.get_span_context().trace_id:032x}"
    old = tracer.start_span(
        "long ago",
        start_time=time.time_ns() - 5_400 * 10**9,
        attributes={"specspan.clause.keep_numbers_private": "violated", "specspan.finding.authority": "root"},
    )
    old.end(time.time_ns() - 5_399 * 10**9)
    specspan.force_flush()
    specspan.shutdown()
    provider.shutdown()
    print(json.dumps(traces))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(*sys.argv[1:])
