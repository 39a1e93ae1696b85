"""Judges in the real Jaeger: the late finding, the judge's own call and the amended verdict, in the call's trace."""

from __future__ import annotations

from pathlib import Path

import openai
import pytest
from backends import eventually
from jaeger_server import Jaeger
from judged import NUMBER, RULES, judge_check, write_policy
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import specspan
from specspan.testing import ScriptedJudge, ScriptedModel

PATIENCE_S = 20


def test_what_comes_late_is_found_by_its_tags(
    jaeger: Jaeger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, worker_id: str
) -> None:
    """Each of the three is found by a tag, and all of them in the one trace of the call."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    service = f"judged-{worker_id}"
    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{jaeger.otlp}/v1/traces")))
    with ScriptedJudge(RULES) as judge, ScriptedModel({"number": f"It is {NUMBER}."}) as model:
        policy = write_policy(tmp_path, {"protect_privacy": [judge_check(judge)]})
        specspan.configure(policy, tracer_provider=provider, decision_exporters=[])
        specspan.instrument("openai")
        try:
            with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
                client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "number"}])
            assert specspan.force_flush(30)
        finally:
            specspan.uninstrument()
            specspan.shutdown()
            provider.shutdown()
    outcome = {"specspan.finding.outcome": "violated"}
    late = eventually(lambda: jaeger.search(service, **outcome), PATIENCE_S, "the late finding")
    assert len(late) == 1
    assert jaeger.search(service, **{"gen_ai.operation.name": "judge"}) == late
    assert jaeger.search(service, **{"specspan.decision.amended.to": "violated"}) == late
    names = sorted(span["name"] for span in jaeger.spans(next(iter(late))))
    assert names == ["chat gpt-5", "judge gpt-5-mini", "specspan.late_finding"]
