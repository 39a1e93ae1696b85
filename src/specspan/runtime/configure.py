"""configure(): the parts are put together, once, and taken apart again at the end."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, overload

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from specspan._support.files import record_file_reads
from specspan._support.guard import guard
from specspan.decision import Mode
from specspan.engine.engine import Engine
from specspan.errors import ConfigurationError, Problem
from specspan.instrument.pipeline import Pipeline
from specspan.policy.policy import Policy
from specspan.record.export import DecisionExporter
from specspan.record.recorder import Recorder
from specspan.record.sampling.rules import Sampling
from specspan.runtime import environment as env
from specspan.runtime.bridging import explicit_providers
from specspan.runtime.configuration import (
    Configuration,
    at_end_of_child,
    current_configuration,
    install_configuration,
    swap_engine,
)
from specspan.runtime.reload import Digests, PollingThread

if TYPE_CHECKING:
    from specspan.runtime.otel_providers import Providers


def configure(
    policy: str | os.PathLike[str] | Policy | None = None,
    *,
    mode: Mode | str | None = None,
    environment: str | None = None,
    reload: bool | float | None = None,
    service_name: str | None = None,
    db: str | os.PathLike[str] | None = None,
    sampling: float | Sampling | None = None,
    bridges: bool | Sequence[TracerProvider] | None = None,
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
        reload: look at the policy's files while the application runs, and put what they hold in force when they change:
            True for every 2 s, or a number of seconds; by default ``SPECSPAN_POLICY_RELOAD``. A policy that is refused
            leaves the one before it in force.
        service_name: ``service.name`` of providers that are made here; by default ``OTEL_SERVICE_NAME``.
        db: keep spans and decisions in this SQLite file, besides whatever else is asked for. By default they go to
            ``SPECSPAN_DB``, else ``specspan.db``, and only where nothing else is asked for.
        sampling: keep this share of traces, from 0 to 1, and whole every one in which something is worth keeping; a
            `Sampling` says more. By default ``SPECSPAN_SAMPLING_RATIO``; without it, OpenTelemetry's sampler decides
            alone. It is for providers that are made here.
        bridges: decide the model calls, too, that other instrumentations trace and specspan does not meet: True for
            those whose spans go to the tracer provider in use, or the providers they go to. They are only observed. By
            default ``SPECSPAN_BRIDGES``.
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
    asked = env.read_environment(os.environ)
    if db is not None:
        asked = asked.with_sqlite()
    if bridges is not None:
        asked = replace(asked, bridges=bool(bridges))
    named = explicit_providers(bridges)
    if sampling is not None:
        asked = replace(asked, sampling=_sampling(sampling))
    source = policy if policy is not None else asked.policy
    interval_s = _interval_s(reload, asked, source)
    if interval_s is not None and not isinstance(source, Policy):
        source = os.path.abspath(source or "")  # noqa: PTH100 - links stay links, and the folder may change

    def load() -> Policy | None:
        return resolve_policy(source, mode or asked.mode, environment or asked.policy_environment)

    with record_file_reads() as read:
        loaded = load()
    engine = Engine(loaded) if loaded is not None else None
    if asked.disabled:
        what = _unrecorded(engine, reloads=interval_s is not None)
    else:
        from specspan.runtime import (
            otel_providers as exporters,
        )  # OpenTelemetry's SDK: not before it is needed
        from specspan.runtime import (
            otel_providers as providers,
        )

        if decision_exporters is None:
            decision_exporters = [
                exporters.create_exporter(exporters.DECISIONS, name, db=db) for name in asked.decisions
            ]
        found = providers.resolve_providers(
            asked, (tracer_provider, meter_provider, logger_provider), service_name=service_name, db=db
        )
        what = _assembled(engine, found, decision_exporters)
        if asked.bridges:
            from specspan.runtime.bridging import attach_bridge

            what = attach_bridge(what, named)
    if what is not None and interval_s is not None:
        what = _watched(what, load, read, interval_s)
    install_configuration(what)


def force_flush(timeout_s: float = 5.0) -> bool:
    """Hand over everything recorded so far; False when something was left after ``timeout_s`` seconds."""
    what = current_configuration()
    if what is None:
        return True
    with guard("runtime.force_flush"):
        return what.force_flush(timeout_s)
    return False


def shutdown() -> None:
    """Flush, and take specspan out of work until it is configured again. At exit this happens by itself."""
    install_configuration(None)


@overload
def resolve_policy(policy: None, mode: Mode | str | None = None, environment: str | None = None) -> None: ...


@overload
def resolve_policy(
    policy: str | os.PathLike[str] | Policy, mode: Mode | str | None = None, environment: str | None = None
) -> Policy: ...


@overload
def resolve_policy(
    policy: str | os.PathLike[str] | Policy | None, mode: Mode | str | None = None, environment: str | None = None
) -> Policy | None: ...


def resolve_policy(
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


def _assembled(
    engine: Engine | None, found: Providers, decision_exporters: Sequence[DecisionExporter]
) -> Configuration:
    recorder = Recorder(
        tracer_provider=found.tracer,
        meter_provider=found.meter,
        logger_provider=found.logger,
        resource=found.resource,
        decision_exporters=decision_exporters,
    )
    if engine is not None:
        recorder.record_policy(engine.policy)
    return Configuration(Pipeline(recorder, engine), found)


def _unrecorded(engine: Engine | None, *, reloads: bool) -> Configuration | None:
    """Nothing at all, unless a policy is enforced, or may come to be: who silences telemetry has not lifted it."""
    if engine is None or not (reloads or engine.policy.mode is Mode.ENFORCE):
        return None
    from specspan.runtime import otel_providers as providers

    return _assembled(engine, providers.no_op_providers(), ())


def _watched(what: Configuration, load: Callable[[], Policy | None], read: Digests, interval_s: float) -> Configuration:
    """The same, its policy loaded again when its files change."""
    from specspan.record.policy_reloads import PolicyReloadMetrics
    from specspan.runtime.reload import PolicyReloader

    reloads = PolicyReloadMetrics(what.providers.meter)
    reloader = PolicyReloader(load, read, partial(swap_engine, what.pipeline.recorder), reloads)
    return replace(what, watcher=PollingThread(reloader.poll, interval_s), on_shutdown=reloads.close)


def _interval_s(
    reload: bool | float | None, asked: env.Environment, source: str | os.PathLike[str] | Policy | None
) -> float | None:
    """How often the policy's files are looked at; None: never.

    Raises:
        ConfigurationError: in code it is asked for, and there is no file.
    """
    if reload is None:  # a variable that is set for many programs is no mistake in one without a file
        return asked.policy_reload_s if source is not None and not isinstance(source, Policy) else None
    if reload is False:
        return None
    if source is None or isinstance(source, Policy):
        problem = Problem("there is no file to look at", "Give 'policy' the path of a file, or leave 'reload' out.")
        raise ConfigurationError("configure(reload=…)", problem)
    return env.RELOAD_S if reload is True else env.check_interval(reload, "configure(reload=…)")


def _sampling(asked: float | Sampling) -> Sampling:
    return asked if isinstance(asked, Sampling) else env.parse_ratio(asked, "configure(sampling=…)")


atexit.register(shutdown)
at_end_of_child(shutdown)


def _mode(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        problem = Problem(f"{mode!r} is no mode", f"Use one of {', '.join(Mode)}.")
        raise ConfigurationError("configure(mode=…) or SPECSPAN_MODE", problem) from None
