"""Having the calls decided, too, that others trace: the bridge is put beside what `configure` put together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from opentelemetry.trace import TracerProvider

from specspan.errors import ConfigurationError, Problem
from specspan.runtime.configuration import Configuration

_MADE_HERE = (
    "bridges were asked for, and OpenTelemetry has no tracer provider yet: nobody else's spans go to the one that "
    "specspan makes; call specspan.configure() once the application has set its own, or name that: bridges=[provider]"
)
_NO_PROCESSORS = (
    "bridges were asked for, and %s, the tracer provider in use, takes no span processors: nothing is bridged"
)
_log = logging.getLogger("specspan")


def explicit_providers(asked: bool | Sequence[TracerProvider] | None) -> Sequence[TracerProvider]:
    """The tracer providers that ``configure(bridges=…)`` names; none where it names none.

    Raises:
        ConfigurationError: what it names takes no span processors.
    """
    named = () if asked is None or isinstance(asked, bool) else asked
    for each in named:
        if not hasattr(each, "add_span_processor"):
            problem = f"{type(each).__name__!r} takes no span processors"
            raise ConfigurationError("configure(bridges=…)", Problem(problem, "Give tracer providers of the SDK's."))
    return named


def attach_bridge(what: Configuration, named: Sequence[TracerProvider]) -> Configuration:
    """The same with a bridge from the tracer providers ``named``, or from the one in use."""
    from specspan.bridges.bridge import Bridge  # OpenTelemetry's SDK: not before it is needed
    from specspan.bridges.dialect import iter_dialects

    found = what.providers
    bridge = Bridge(iter_dialects())
    if not named and found.tracer in found.owned:
        _log.warning(_MADE_HERE)
    for provider in named or (found.tracer,):
        if not bridge.listen_to(provider):
            _log.warning(_NO_PROCESSORS, type(provider).__name__)
    if found.logger is not None:
        bridge.listen_to(found.logger)  # where events hold the messages; one that takes no processors has none
    return replace(what, bridge=bridge)
