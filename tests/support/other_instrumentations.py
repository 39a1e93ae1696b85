"""Other people's instrumentations of OpenAI's client: the real ones, as they are published."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import other_signals
import wrapt
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from other_signals import Signals


@contextmanager
def instrumentor(module: str) -> Iterator[Signals]:
    """An instrumentation of OpenAI's client, in the manner of OpenTelemetry's."""
    with other_signals.instrumentor(module, "OpenAIInstrumentor") as found:
        yield found
    _unwrap_all()


def _unwrap_all() -> None:
    """Take every wrapper off the client: not all of them find what they wrapped."""
    for module in [found for name, found in sys.modules.items() if name.startswith("openai.")]:
        for owner in [found for found in vars(module).values() if isinstance(found, type)]:
            for name, method in list(vars(owner).items()):
                if isinstance(method, wrapt.FunctionWrapper):
                    setattr(owner, name, inspect.unwrap(method))


@contextmanager
def logfire_integration() -> Iterator[Signals]:
    """Logfire's, with its own providers, which stand in for OpenTelemetry's."""
    import logfire

    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    made = logfire.configure(
        local=True,
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        distributed_tracing=True,  # otherwise it replaces the process's propagator with one that warns
        additional_span_processors=[SimpleSpanProcessor(exporter)],
        metrics=logfire.MetricsOptions(additional_readers=[reader]),
    )
    undo: list[Any] = []

    def install() -> None:
        undo.append(made.instrument_openai())

    def uninstall() -> None:
        while undo:
            with undo.pop():
                pass

    config = made.config
    yield Signals(exporter, reader, config.get_tracer_provider(), config.get_meter_provider(), install, uninstall)
    uninstall()


OTHERS: dict[str, Callable[[], Any]] = {
    "opentelemetry": lambda: instrumentor("opentelemetry.instrumentation.openai_v2"),
    "openinference": lambda: instrumentor("openinference.instrumentation.openai"),
    "openllmetry": lambda: instrumentor("opentelemetry.instrumentation.openai"),
    "logfire": logfire_integration,
}
