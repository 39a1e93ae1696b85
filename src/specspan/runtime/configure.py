"""Public functions that configure specspan in this process, flush it and shut it down."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, overload

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from specspan._support.files import record_file_reads
from specspan._support.guard import guard
from specspan.approvals.approval_notices import set_sender
from specspan.decision import Mode
from specspan.engine.deferral import BackgroundRunner
from specspan.engine.engine import Engine
from specspan.engine.shadowing import Shadow
from specspan.errors import ConfigurationError, Problem
from specspan.instrument.gate import Absence, Pipeline, Unrecorded, enforces, log_unrecorded
from specspan.ledger.ledger_settings import LedgerSettings, read_ledger_settings
from specspan.policy.policy import Policy
from specspan.record.export import DecisionExporter, DecisionLog
from specspan.record.recorder import Recorder
from specspan.record.sampling.rules import Sampling
from specspan.runtime import environment as env
from specspan.runtime.approval_notice import send_notice
from specspan.runtime.bridging import attach_bridge, explicit_providers
from specspan.runtime.configuration import (
    Configuration,
    current_configuration,
    install_configuration,
    register_exit,
    shut_down,
    swap_engine,
)
from specspan.runtime.reload import Digests, PollingThread
from specspan.stores.opening import keep_address, kind_name

if TYPE_CHECKING:
    from specspan.runtime.otel_providers import GivenProviders, Providers


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
    ledger: str | os.PathLike[str] | LedgerSettings | bool | None = None,
) -> None:
    """Put specspan to work in this process. A second call replaces the configuration of the first.

    Args:
        policy: a policy file, or one already loaded; by default ``SPECSPAN_POLICY``. Without one, calls are recorded
            and nothing is decided.
        mode: ``observe`` or ``enforce`` in place of what the policy says; by default ``SPECSPAN_MODE``.
        environment: which of the policy's ``environments`` this process runs in; by default ``SPECSPAN_ENV``.
        reload: watch the policy's files while the application runs, and put the changed policy in force: True for every
            2 s, or a number of seconds; by default ``SPECSPAN_POLICY_RELOAD``. A policy that is refused
            leaves the one before it in force.
        service_name: ``service.name`` of providers that are made here; by default ``OTEL_SERVICE_NAME``.
        db: keep spans and decisions in this store, besides whatever else is configured: the path of a SQLite file, or a
            URL such as ``postgresql://host/database``. By default they go to ``SPECSPAN_DB``, else ``specspan.db``, and
            only where nothing else is configured.
        sampling: keep this share of traces, from 0 to 1, and besides every trace in which something is worth keeping; a
            `Sampling` says more. By default ``SPECSPAN_SAMPLING_RATIO``; without it, OpenTelemetry's sampler decides
            alone. Only for providers that are made here.
        bridges: also decide the model calls that other instrumentations trace and specspan does not meet: True for
            those whose spans go to the tracer provider in use, or the providers they go to. They are only observed. By
            default ``SPECSPAN_BRIDGES``.
        tracer_provider: by default the application's global one; without that, one is made here with the exporters
            that ``OTEL_*`` variables name, else SQLite. It is never set globally.
        meter_provider: in the same way; without an OTLP endpoint there are no metrics.
        logger_provider: in the same way.
        decision_exporters: where decision records go; by default what ``SPECSPAN_DECISION_EXPORTER`` names, which is
            the store unless set. They are shut down when this configuration is.
        ledger: folder of the ledger, into which each decision is written before anything else is done with it; a
            `LedgerSettings` says more, and False is none. By default ``SPECSPAN_LEDGER``; without it, there is none.

    ``OTEL_SDK_DISABLED=true`` switches all recording off, and the log says so; a policy in enforce mode is still
    enforced, unless ``SPECSPAN_WHEN_SUPPRESSED`` is ``leave``.

    Raises:
        PolicyError: the policy, or the spec it names, was refused.
        MissingDependency: an exporter that is configured is not installed.
        ConfigurationError: any other misuse, such as a store that cannot be written. Whatever is raised, the
            configuration before it stays in force.
    """
    options = _resolve(
        policy,
        mode=mode,
        environment=environment,
        reload=reload,
        service_name=service_name,
        db=db,
        sampling=sampling,
        bridges=bridges,
        providers=(tracer_provider, meter_provider, logger_provider),
        decision_exporters=decision_exporters,
        ledger=ledger,
    )
    with record_file_reads() as read:
        policy_loaded = options.load()
    engine = None
    if policy_loaded is not None:
        engine = Engine(policy_loaded, background=_background(), shadow=options.shadow_of(policy_loaded))
    absence = None
    if options.environment.disabled:
        configuration = _assemble_unrecorded(options, engine)
        absence = Absence(Unrecorded.DISABLED, lifts_enforcement=enforces(engine))
    else:
        configuration = _assemble(options, engine)
    if configuration is not None and options.reload_s is not None:
        configuration = _add_reloading(configuration, options, read, options.reload_s)
    register_exit()
    install_configuration(configuration, absence)
    keep_address(db)
    set_sender(send_notice)
    if absence is not None:
        lifts = configuration is None and absence.lifts_enforcement
        log_unrecorded(absence.reason, lifts=lifts, enforces=absence.lifts_enforcement)


def _background() -> BackgroundRunner:
    from specspan.judges.judge_runner import JudgeRunner  # not where there is no policy

    return JudgeRunner()


def force_flush(timeout_s: float = 5.0) -> bool:
    """Hand over everything recorded so far.

    Return False when some of it was lost, or left after ``timeout_s`` seconds; what was lost is counted.
    """
    configuration = current_configuration()
    if configuration is None:
        return True
    with guard("runtime.force_flush"):
        return configuration.force_flush(timeout_s)
    return False


def shutdown() -> None:
    """Flush, and record nothing until specspan is configured again.

    A policy in enforce mode stays in force, as at the end of the process, where all this happens by itself. It is
    lifted by `uninstrument`, by another `configure`, and at once where ``SPECSPAN_WHEN_SUPPRESSED`` is ``leave``. Calls
    after a shutdown are counted, and the first one is logged.
    """
    shut_down()


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
    """Return the policy, loaded for ``environment`` where it is a file, under ``mode`` where one is given.

    Raises:
        PolicyError, ConfigurationError: as `configure`.
    """
    if policy is None:
        return None
    if not isinstance(policy, Policy):
        from specspan.policy.load import load_policy  # pydantic and YAML: not before they are needed

        policy = load_policy(policy, environment=environment)
    return policy if mode is None else replace(policy, mode=_mode(mode))


PolicySource: TypeAlias = "str | os.PathLike[str] | Policy | None"


@dataclass(frozen=True, slots=True)
class _Options:
    """Arguments of one `configure`, completed by the environment and checked."""

    environment: env.Environment
    policy: PolicySource
    mode: Mode | str | None
    policy_environment: str | None
    reload_s: float | None
    """Time between polls of the policy's files; None where the policy is read once."""
    service_name: str | None
    db: str | os.PathLike[str] | None
    bridged_providers: Sequence[TracerProvider]
    providers: GivenProviders
    decision_exporters: Sequence[DecisionExporter] | None
    ledger: LedgerSettings | None

    def load(self) -> Policy | None:
        """Load the policy, as it is now."""
        policy = resolve_policy(self.policy, self.mode, self.policy_environment)
        if policy is None or self.environment.mitigations is None:
            return policy
        from specspan.runtime.watched_mitigations import add_mitigations  # signatures: not before they are needed

        return add_mitigations(policy, self.environment.mitigations, self.environment.mitigation_keys)

    def shadow_of(self, policy: Policy) -> Shadow | None:
        """Return the candidate of a policy, which the store of this configuration keeps records of."""
        if policy.candidate is None or self.environment.disabled:
            return None
        from specspan.runtime.shadow_policy import ShadowPolicy, store_exporter  # not where no policy has a candidate

        return ShadowPolicy(policy, policy.candidate, partial(store_exporter, self.db))


def _resolve(
    policy: PolicySource,
    *,
    mode: Mode | str | None,
    environment: str | None,
    reload: bool | float | None,
    service_name: str | None,
    db: str | os.PathLike[str] | None,
    sampling: float | Sampling | None,
    bridges: bool | Sequence[TracerProvider] | None,
    providers: GivenProviders,
    decision_exporters: Sequence[DecisionExporter] | None,
    ledger: str | os.PathLike[str] | LedgerSettings | bool | None,
) -> _Options:
    if db is None:
        variables = env.read_environment(os.environ)
    else:
        address = os.fspath(db)
        variables = env.read_environment({**os.environ, "SPECSPAN_DB": address}).with_store(kind_name(address))
    if bridges is not None:
        variables = replace(variables, bridges=bool(bridges))
    if sampling is not None:
        variables = replace(variables, sampling=_sampling(sampling))
    source = policy if policy is not None else variables.policy
    reload_s = _reload_interval(reload, variables, source)
    if reload_s is not None and not isinstance(source, Policy):
        source = os.path.abspath(source or "")  # noqa: PTH100 - links stay links, and the folder may change
    return _Options(
        environment=variables,
        policy=source,
        mode=mode or variables.mode,
        policy_environment=environment or variables.policy_environment,
        reload_s=reload_s,
        service_name=service_name,
        db=db,
        bridged_providers=explicit_providers(bridges),
        providers=providers,
        decision_exporters=decision_exporters,
        ledger=read_ledger_settings(os.environ, ledger),
    )


def _assemble(options: _Options, engine: Engine | None) -> Configuration:
    from specspan.runtime import otel_providers  # OpenTelemetry's SDK: not before it is needed

    variables, decision_exporters = options.environment, options.decision_exporters
    if decision_exporters is None:
        group = otel_providers.DECISIONS
        decision_exporters = [
            otel_providers.create_exporter(group, name, db=options.db) for name in variables.decisions
        ]
    providers = otel_providers.resolve_providers(
        variables, options.providers, service_name=options.service_name, db=options.db
    )
    configuration = _with_recorder(options, engine, providers, decision_exporters)
    if not variables.bridges:
        return configuration
    return attach_bridge(configuration, options.bridged_providers)


def _assemble_unrecorded(options: _Options, engine: Engine | None) -> Configuration | None:
    """Return None, unless a policy is enforced or may come to be: switching telemetry off does not lift it."""
    if engine is None or not options.environment.always_enforces:
        return None
    if options.reload_s is None and not enforces(engine):
        return None
    from specspan.runtime import otel_providers

    configuration = _with_recorder(options, engine, otel_providers.no_op_providers(), ())
    return replace(configuration, pipeline=replace(configuration.pipeline, unrecorded=Unrecorded.DISABLED))


def _with_recorder(
    options: _Options, engine: Engine | None, providers: Providers, decision_exporters: Sequence[DecisionExporter]
) -> Configuration:
    log = None if options.environment.disabled else _open_ledger(options, decision_exporters)
    recorder = Recorder(
        tracer_provider=providers.tracer,
        meter_provider=providers.meter,
        logger_provider=providers.logger,
        resource=providers.resource,
        decision_exporters=decision_exporters if log is None else (),
        ledger=log,
    )
    if engine is not None:
        for policy in engine.policies:
            recorder.record_policy(policy)
    pipeline = Pipeline(recorder, engine, always_enforces=options.environment.always_enforces)
    return Configuration(pipeline, providers)


def _open_ledger(options: _Options, decision_exporters: Sequence[DecisionExporter]) -> DecisionLog | None:
    """Return the ledger, which feeds the exporters; None where there is none."""
    if options.ledger is None:
        return None
    from specspan.ledger.decision_ledger import open_ledger  # not where there is no ledger

    log = open_ledger(options.ledger)
    given = [type(each).__name__ for each in decision_exporters]
    names = list(options.environment.decisions) if options.decision_exporters is None else given
    for number, (name, exporter) in enumerate(zip(names, decision_exporters, strict=True)):
        log.ship_to(name if name not in names[:number] else f"{name}-{number}", exporter)
    return log


def _add_reloading(configuration: Configuration, options: _Options, read: Digests, interval_s: float) -> Configuration:
    from specspan.record.policy_reloads import PolicyReloadMetrics
    from specspan.runtime.policy_refusal import record_refusal
    from specspan.runtime.reload import PolicyReloader

    metrics = PolicyReloadMetrics(configuration.providers.meter)
    engine = configuration.pipeline.engine
    background = None if engine is None else engine.background
    swap = partial(swap_engine, configuration.pipeline.recorder)
    note_refusal = partial(record_refusal, configuration.pipeline.recorder)
    reloader = PolicyReloader(
        options.load, read, swap, metrics, background=background, shadow_of=options.shadow_of, note_refusal=note_refusal
    )
    return replace(configuration, watcher=PollingThread(reloader.poll, interval_s), on_shutdown=metrics.close)


def _reload_interval(reload: bool | float | None, variables: env.Environment, source: PolicySource) -> float | None:
    """Return the time between polls of the policy's files; None where they are read once.

    Raises:
        ConfigurationError: code asks for reloading, and there is no file.
    """
    if variables.mitigations is not None and source is not None and reload in (None, False):
        return variables.policy_reload_s or env.RELOAD_S  # the file of mitigations is watched in any case
    if reload is None:  # a variable that is set for many programs is no mistake in one without a file
        return variables.policy_reload_s if source is not None and not isinstance(source, Policy) else None
    if reload is False:
        return None
    if source is None or isinstance(source, Policy):
        problem = Problem("missing file to watch", "Give 'policy' the path of a file, or leave 'reload' out.")
        raise ConfigurationError("configure(reload=…)", problem)
    return env.RELOAD_S if reload is True else env.check_interval(reload, "configure(reload=…)")


def _sampling(sampling: float | Sampling) -> Sampling:
    return sampling if isinstance(sampling, Sampling) else env.parse_ratio(sampling, "configure(sampling=…)")


def _mode(mode: str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        problem = Problem(f"unknown mode {mode!r}", f"Use one of {', '.join(Mode)}.")
        raise ConfigurationError("configure(mode=…) or SPECSPAN_MODE", problem) from None
