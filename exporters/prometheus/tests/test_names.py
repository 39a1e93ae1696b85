"""The names in the rules are those that a scrape of a real recorder gives."""

from __future__ import annotations

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry
from recording import CALL, COMPLETED, SSN, decision

from specspan._support import drop_counts
from specspan.decision import Override, OverrideRuling
from specspan.record.call_end import Timing
from specspan.record.policy_reloads import PolicyReloadMetrics
from specspan.record.recorder import Recorder
from specspan_exporter_prometheus import promql

EXPECTED = {
    promql.FINDINGS: {
        promql.SPEC_VERSION,
        promql.CLAUSE,
        promql.AUTHORITY,
        promql.SEVERITY,
        promql.OUTCOME,
        promql.CHECK_KIND,
    },
    promql.DECISIONS: {promql.SPEC_VERSION, promql.VERDICT, promql.ACTION},
    promql.CHECK_DURATION + "_bucket": {promql.CHECK_NAME},
    promql.OVERHEAD + "_bucket": {promql.STAGE},
    promql.OVERRIDES: {promql.OVERRIDE_CLAUSE, promql.OVERRIDE_LEVEL, promql.OVERRIDE_RULING},
    promql.DROPPED: {promql.DROPPED_WHAT, promql.DROPPED_REASON},
    promql.STALE: set(),
    promql.RELOADS: {promql.RELOAD_RESULT},
}


def test_a_scrape_has_the_names_of_the_rules() -> None:
    """Every metric and label that the rules read stands in what opentelemetry-exporter-prometheus exposes."""
    registry = CollectorRegistry()
    provider = MeterProvider([PrometheusMetricReader(registry=registry)], shutdown_on_exit=False)
    recorder = Recorder(meter_provider=provider, tracer_provider=TracerProvider(shutdown_on_exit=False))
    refused = OverrideRuling(
        Override("protect_privacy", "user", "please"), granted=False, refusal="insufficient_authority"
    )
    span = recorder.start_call(CALL.request, CALL.context)
    recorder.end_call(
        span, CALL, decision(SSN, overrides=(refused,)), COMPLETED, Timing(1.0, overhead_ns={"output": 1_000})
    )
    drop_counts.count("finding_event", "span_limit")
    PolicyReloadMetrics(provider).count_reload()
    labels = {sample.name: set(sample.labels) for family in registry.collect() for sample in family.samples}
    recorder.shutdown()
    provider.shutdown()
    for name, expected in EXPECTED.items():
        assert expected <= labels[name], name
