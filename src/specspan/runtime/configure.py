"""configure(): the parts are put together, once, and taken apart again at the end."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, overload

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from specspan.decision import Mode
from specspan.engine.engine import Engine
from specspan.errors import ConfigurationError, Problem
from specspan.guard import guard
from specspan.instrument.pipeline import Pipeline, activate
from specspan.policy.model import Policy
from specspan.record.pipeline import DecisionExporter
from specspan.record.recorder import Recorder
from specspan.runtime import environment as env

if TYPE_CHECKING:
    from specspan.runtime.providers import Providers


def configure(
    policy: str | os.PathLike[str] | Policy | None = None,
    *,
    mode: Mode | str | None = None,
    environment: str | None = None,
    service_name: str | None = None,
    db: str | os.PathLike[str] | None = None,
    tracer_provider: TracerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    decision_exporters: Sequence[DecisionExporter] | None = None,
) -> None:
    """Put specspan to work in this process. Called again, it takes the place of what was configured before.

    Args:
        policy: a policy file, or one already loaded; by default ``SPECSPAN_POLICY``. Without one, calls are recorded
            and nothing is decided.
        mode: ``observe`` or ``enforce`` in place of what the policy says; by default ``SPECSPAN_MODE``.
        environment: which of the policy's ``environments`` this process runs in; by default ``SPECSPAN_ENV``.
        service_name: ``service.name`` of providers that are made here; by default ``OTEL_SERVICE_NAME``.
        db: keep spans and decisions in this SQLite file, besides whatever else is asked for. By default they go to
            ``SPECSPAN_DB``, else ``specspan.db``, and only where nothing else is asked for.
        tracer_provider: by default the application's global one; without that, one is made here with the exporters
            that ``OTEL_*`` variables name, else SQLite. It is never set globally.
        meter_provider: in the same way; without an OTLP endpoint there are no metrics.
        logger_provider: in the same way.
        decision_exporters: where decision records go; by default what ``SPECSPAN_DECISION_EXPORTER`` names, which is
            SQLite unless set. They are shut down when this configuration is.

    ``OTEL_SDK_DISABLED=true`` switches all recording off; a policy in enforce mode is still enforced.

    Raises:
        PolicyError: the policy, or the spec it names, was refused.
        MissingDependency: an exporter that was asked for is not installed.
        ConfigurationError: any other misuse. Whatever is raised, what was configured before stays in force.
    """
    asked = env.read(os.environ)
    if db is not None:
        asked = asked.and_sqlite()
    loaded = policy_of(
        policy if policy is not None else asked.policy, mode or asked.mode, environment or asked.policy_environment
    )
    engine = Engine(loaded) if loaded is not None else None
    if asked.disabled:
        _replace(_unrecorded(engine))
        return
    from specspan.runtime import exporters, providers  # OpenTelemetry's SDK: not before it is needed

    if decision_exporters is None:
        decision_exporters = [exporters.create(exporters.DECISIONS, name, db=db) for name in asked.decisions]
    found = providers.given_or_made(
        asked, (tracer_provider, meter_provider, logger_provider), service_name=service_name, db=db
    )
    _replace(_assembled(engine, found, decision_exporters))


def force_flush(timeout_s: float = 5.0) -> bool:
    """Hand over everything recorded so far; False when something was left after ``timeout_s`` seconds."""
    running = _running
    if running is None:
        return True
    with guard("runtime.force_flush"):
        return running.force_flush(timeout_s)
    return False


def shutdown() -> None:
    """Flush, and take specspan out of work until it is configured again. At exit this happens by itself."""
    _replace(None)


@overload
def policy_of(policy: None, mode: Mode | str | None = None, environment: str | None = None) -> None: ...


@overload
def policy_of(
    policy: str | os.PathLike[str] | Policy, mode: Mode | str | None = None, environment: str | None = None
) -> Policy: ...


@overload
def policy_of(
    policy: str | os.PathLike[str] | Policy | None, mode: Mode | str | None = None, environment: str | None = None
) -> Policy | None: ...


def policy_of(
    policy: str | os.PathLike[str] | Policy | None, mode: Mode | str | None = None, environment: str | None = None
) -> Policy | None:
    """The policy, loaded for ``environment`` where a file is meant, under ``mode`` where one is given.

    Raises:
        PolicyError, ConfigurationError: as `configure`.
    """
    if policy is None:
        return None
    if not isinstance(policy, Policy):
        from specspan.policy.load import load_policy  # pydantic and YAML: not before they are needed

        policy = load_policy(policy, environment=environment)
    return policy if mode is None else replace(policy, mode=_mode(mode))


@dataclass(frozen=True, slots=True)
class _Running:
    """What one `configure` put together."""

    pipeline: Pipeline
    providers: Providers

    def force_flush(self, timeout_s: float) -> bool:
        recorded = self.pipeline.recorder.force_flush(timeout_s)
        return self.providers.force_flush(timeout_s) and recorded

    def shutdown(self) -> None:
        with guard("runtime.shutdown.recorder"):
            self.pipeline.recorder.shutdown()
        with guard("runtime.shutdown.providers"):
            self.providers.shutdown()


_lock = threading.RLock()
_running: _Running | None = None


def _assembled(engine: Engine | None, found: Providers, decision_exporters: Sequence[DecisionExporter]) -> _Running:
    recorder = Recorder(
        tracer_provider=found.tracer,
        meter_provider=found.meter,
        logger_provider=found.logger,
        resource=found.resource,
        decision_exporters=decision_exporters,
    )
    if engine is not None:
        recorder.policy_in_force(engine.policy)
    return _Running(Pipeline(recorder, engine), found)


def _unrecorded(engine: Engine | None) -> _Running | None:
    """Nothing at all, unless a policy is to be enforced: whoever silences telemetry has not lifted the policy."""
    if engine is None or engine.policy.mode is not Mode.ENFORCE:
        return None
    from specspan.runtime import providers

    return _assembled(engine, providers.none(), ())


def _replace(running: _Running | None) -> None:
    global _running
    with _lock:
        before, _running = _running, running
        activate(running.pipeline if running is not None else None)
    if before is not None:
        before.shutdown()


atexit.register(shutdown)


def _mode(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        problem = Problem(f"{mode!r} is no mode", f"Use one of {', '.join(Mode)}.")
        raise ConfigurationError("configure(mode=…) or SPECSPAN_MODE", problem) from None
