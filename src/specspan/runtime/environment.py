"""Environment variables that configure specspan: ``SPECSPAN_*`` and OpenTelemetry's own ``OTEL_*``.

Source of the ``OTEL_*`` variables: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from specspan.errors import ConfigurationError, Problem
from specspan.record.sampling.rules import ALWAYS_KEPT, Keep, Sampling
from specspan.stores.opening import DEFAULT, kind_name

RELOAD_S = 2.0
"""Time between polls of a policy's files where none is given."""
MAX_RELOAD_S = 86_400.0
_RELOAD = "SPECSPAN_POLICY_RELOAD"
_WHEN_SUPPRESSED = "SPECSPAN_WHEN_SUPPRESSED"
_RATIO, _KEEP = "SPECSPAN_SAMPLING_RATIO", "SPECSPAN_SAMPLING_KEEP"
_YES, _NO = ("true", "on", "yes"), ("false", "off", "no")
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


@dataclass(frozen=True, slots=True)
class Environment:
    """Variables that concern `configure`, read once."""

    disabled: bool
    """``OTEL_SDK_DISABLED``: True for no telemetry of any kind."""
    always_enforces: bool
    """``SPECSPAN_WHEN_SUPPRESSED``: True (``enforce``) to enforce also where nothing is recorded."""
    policy: str | None
    """``SPECSPAN_POLICY``: a path."""
    mode: str | None
    """``SPECSPAN_MODE``."""
    policy_environment: str | None
    """``SPECSPAN_ENV``: a name under ``environments`` of the policy."""
    policy_reload_s: float | None
    """``SPECSPAN_POLICY_RELOAD``: time between polls of the policy's files; None for no reloading."""
    mitigations: str | None
    """``SPECSPAN_MITIGATIONS``: path of the file of signed mitigations."""
    mitigation_keys: str | None
    """``SPECSPAN_MITIGATION_KEYS``: public keys that may sign it, or the path of a file of them."""
    bridges: bool
    """``SPECSPAN_BRIDGES``: True to decide also the calls that other instrumentations trace."""
    sampling: Sampling | None
    """``SPECSPAN_SAMPLING_RATIO`` and ``SPECSPAN_SAMPLING_KEEP``; None for OpenTelemetry's sampler alone."""
    decisions: tuple[str, ...]
    """Names of decision exporters (``SPECSPAN_DECISION_EXPORTER``, by default that of the store in ``SPECSPAN_DB``)."""
    traces: tuple[str, ...]
    """Names of OpenTelemetry's span exporters."""
    metrics: tuple[str, ...]
    logs: tuple[str, ...]

    def with_store(self, kind: str) -> Environment:
        """Return the variables with a kind of store added to the exporters of spans and decisions."""
        return replace(
            self,
            traces=tuple(dict.fromkeys((*self.traces, store_spans(kind)))),
            decisions=tuple(dict.fromkeys((*self.decisions, kind))),
        )


def store_spans(kind: str) -> str:
    """Return the name of the exporter of spans of a kind of store; that of decisions is named as the kind is."""
    return f"specspan_{kind}"


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Return the variables; an empty one counts as unset, as OpenTelemetry has it.

    Raises:
        ConfigurationError: an unknown word or OTLP protocol, or an invalid time, switch or share of traces.
    """
    variables = {name: value.strip() for name, value in environ.items() if value.strip()}
    return Environment(
        disabled=variables.get("OTEL_SDK_DISABLED", "").casefold() == "true",
        always_enforces=_always_enforces(variables.get(_WHEN_SUPPRESSED, "enforce")),
        policy=variables.get("SPECSPAN_POLICY"),
        mode=variables.get("SPECSPAN_MODE"),
        policy_environment=variables.get("SPECSPAN_ENV"),
        policy_reload_s=_interval_s(variables.get(_RELOAD, "off")),
        mitigations=variables.get("SPECSPAN_MITIGATIONS"),
        mitigation_keys=variables.get("SPECSPAN_MITIGATION_KEYS"),
        bridges=_switch(variables, "SPECSPAN_BRIDGES"),
        sampling=_sampling(variables),
        decisions=_names(variables.get("SPECSPAN_DECISION_EXPORTER") or _store(variables)),
        traces=_exporters(variables, "TRACES", default=lambda: store_spans(_store(variables))),
        metrics=_exporters(variables, "METRICS", default=lambda: "none"),
        logs=_exporters(variables, "LOGS", default=lambda: "none"),
    )


def _store(variables: Mapping[str, str]) -> str:
    """Return the kind of store that spans and decisions go to where nothing else is named."""
    return kind_name(variables.get("SPECSPAN_DB", DEFAULT))


def _switch(variables: Mapping[str, str], name: str) -> bool:
    word = variables.get(name, "off").casefold()
    if word in (*_YES, "1"):
        return True
    if word in (*_NO, "0"):
        return False
    raise ConfigurationError(name, Problem(f"invalid switch {variables[name]!r}", "Use true or false."))


def _always_enforces(word: str) -> bool:
    if word.casefold() not in ("enforce", "leave"):
        problem = Problem(f"unknown word {word!r}", "Use enforce or leave.")
        raise ConfigurationError(_WHEN_SUPPRESSED, problem)
    return word.casefold() == "enforce"


def check_interval(interval_s: float, source: str) -> float:
    """Return an interval between polls of the policy's files, in seconds.

    Raises:
        ConfigurationError: the interval is invalid; ``source`` is named.
    """
    if 0 < interval_s <= MAX_RELOAD_S:
        return interval_s
    problem = Problem(f"invalid interval {interval_s}", "Give seconds, more than 0 and at most a day.")
    raise ConfigurationError(source, problem)


def _interval_s(text: str) -> float | None:
    """Return the seconds in ``5``, ``5s`` or ``true``; None for ``off``."""
    word = text.casefold()
    if word in _NO or word == "0":
        return None
    if word in _YES:
        return RELOAD_S
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*s?", word)
    if match is None:
        problem = Problem(f"invalid interval {text!r}", "Give seconds, such as 5s, or off.")
        raise ConfigurationError(_RELOAD, problem)
    return check_interval(float(match[1]), _RELOAD)


def parse_ratio(ratio: float | str, source: str, keep: frozenset[Keep] = ALWAYS_KEPT) -> Sampling:
    """Return the sampling of a share of traces, and of those worth keeping.

    Raises:
        ConfigurationError: the share is invalid; ``source`` is named.
    """
    try:
        return Sampling(float(ratio), keep)
    except ValueError:
        problem = Problem(f"invalid share of traces {ratio!r}", "Give a number from 0 to 1, such as 0.01.")
        raise ConfigurationError(source, problem) from None


def _sampling(variables: Mapping[str, str]) -> Sampling | None:
    if not {_RATIO, _KEEP} & variables.keys():
        return None
    keep = frozenset(_keep_reason(word) for word in _names(variables[_KEEP])) if _KEEP in variables else ALWAYS_KEPT
    if _RATIO not in variables:  # what is worth keeping of what OTEL_TRACES_SAMPLER leaves out
        return Sampling(None, keep)
    return parse_ratio(variables[_RATIO], _RATIO, keep)


def _keep_reason(word: str) -> Keep:
    try:
        return Keep(word)
    except ValueError:
        problem = Problem(
            f"unknown reason to keep a trace {word!r}", f"Use some of {', '.join(each.value for each in Keep)}."
        )
        raise ConfigurationError(_KEEP, problem) from None


def _exporters(variables: Mapping[str, str], signal: str, *, default: Callable[[], str]) -> tuple[str, ...]:
    endpoint = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" in variables or "OTEL_EXPORTER_OTLP_ENDPOINT" in variables
    listed = variables.get(f"OTEL_{signal}_EXPORTER") or ("otlp" if endpoint else default())
    return tuple(_otlp_exporter(variables, signal) if name == "otlp" else name for name in _names(listed))


def _otlp_exporter(variables: Mapping[str, str], signal: str) -> str:
    own, common = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = variables.get(own) or variables.get(common) or "http/protobuf"
    if protocol not in _OTLP:
        variable = own if own in variables else common
        problem = f"unknown OTLP protocol {protocol!r}"
        raise ConfigurationError(variable, Problem(problem, f"Use one of {', '.join(_OTLP)}."))
    return _OTLP[protocol]


def _names(listed: str) -> tuple[str, ...]:
    names = (name.strip() for name in listed.split(","))
    return tuple(name for name in names if name and name != "none")
