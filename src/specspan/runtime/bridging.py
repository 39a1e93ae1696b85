"""Attachment of the bridge, which decides calls that other instrumentation traces, to a configuration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.trace import TracerProvider

from specspan.errors import ConfigurationError, Problem
from specspan.runtime.configuration import Configuration

_OWN_PROVIDER = (
    "bridges are configured, and OpenTelemetry has no tracer provider yet: no other instrumentation's spans go to the "
    "one that specspan makes; call specspan.configure() once the application has set its own, or name that: "
    "bridges=[provider]"
)
_NO_PROCESSORS = (
    "bridges are configured, and %s, the tracer provider in use, takes no span processors: nothing is bridged"
)
_log = logging.getLogger("specspan")


def explicit_providers(bridges: bool | Sequence[TracerProvider] | None) -> Sequence[TracerProvider]:
    """Return the tracer providers that ``configure(bridges=…)`` names; none where it names none.

    Raises:
        ConfigurationError: one of them takes no span processors.
    """
    providers = () if bridges is None or isinstance(bridges, bool) else bridges
    for provider in providers:
        if not hasattr(provider, "add_span_processor"):
            problem = f"{type(provider).__name__!r} takes no span processors"
            raise ConfigurationError("configure(bridges=…)", Problem(problem, "Give tracer providers of the SDK's."))
    return providers


def attach_bridge(configuration: Configuration, named: Sequence[TracerProvider]) -> Configuration:
    """Return the configuration with a bridge from the tracer providers ``named``, or from the provider in use."""
    from specspan.bridges.bridge import Bridge  # OpenTelemetry's SDK: not before it is needed
    from specspan.bridges.dialect import iter_dialects

    providers = configuration.providers
    bridge = Bridge(iter_dialects())
    if not named and providers.tracer in providers.owned:
        _log.warning(_OWN_PROVIDER)
    for provider in named or (providers.tracer,):
        if not bridge.listen_to(provider):
            _log.warning(_NO_PROCESSORS, type(provider).__name__)
    if providers.logger is not None:
        bridge.listen_to(providers.logger)  # where events hold the messages; one that takes no processors has none
    return replace(configuration, bridge=bridge)
