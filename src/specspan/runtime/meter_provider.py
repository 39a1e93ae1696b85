"""Provider of metrics that specspan makes, where exporters of metrics are configured."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry.sdk.environment_variables import OTEL_METRICS_EXEMPLAR_FILTER
from opentelemetry.sdk.metrics import AlignedHistogramBucketExemplarReservoir, MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from specspan.record.sampling import tail
from specspan.record.sampling.rules import Sampling

_NO_THREAD = "no thread can be started (%s): metrics are exported when they are flushed"
_log = logging.getLogger("specspan")


def make_meter_provider(resource: Resource, exporters: Sequence[Any], sampling: Sampling | None) -> MeterProvider:
    """Return a provider of metrics with some exporters, whose exemplars are of traces that are kept."""
    readers = [made if isinstance(made, MetricReader) else _metric_reader(made) for made in exporters]
    is_set = OTEL_METRICS_EXEMPLAR_FILTER in os.environ
    exemplars = tail.exemplar_filter(sampling) if sampling is not None and not is_set else None
    return MeterProvider(
        readers, resource=resource, exemplar_filter=exemplars, views=(_LATEST_EXEMPLARS,), shutdown_on_exit=False
    )


def _latest_exemplars(_: object) -> Callable[..., AlignedHistogramBucketExemplarReservoir]:
    """Return what makes reservoirs that keep the latest exemplar, of each bucket where there are some.

    Where there are none, OpenTelemetry's own keep one by chance, drawn from the application's random numbers.
    """

    def make(boundaries: Sequence[float] = (), **_: object) -> AlignedHistogramBucketExemplarReservoir:
        return AlignedHistogramBucketExemplarReservoir(boundaries)

    return make


_LATEST_EXEMPLARS = View(instrument_name="*", exemplar_reservoir_factory=_latest_exemplars)


def _metric_reader(exporter: Any) -> MetricReader:
    try:
        return PeriodicExportingMetricReader(exporter)
    except RuntimeError as error:
        _log.warning(_NO_THREAD, error)
        return PeriodicExportingMetricReader(exporter, export_interval_millis=math.inf)
