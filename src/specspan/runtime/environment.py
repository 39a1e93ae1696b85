"""What the environment asks for: ``SPECSPAN_*`` and OpenTelemetry's own ``OTEL_*``.

Source of the latter: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from specspan.errors import ConfigurationError, Problem
from specspan.record.sampling.rules import ALWAYS_KEPT, Keep, Sampling

SQLITE_SPANS = "specspan_sqlite"
SQLITE_DECISIONS = "sqlite"
RELOAD_S = 2.0
"""How often a policy's files are looked at where only that they are is asked for."""
MAX_RELOAD_S = 86_400.0
_RELOAD = "SPECSPAN_POLICY_RELOAD"
_RATIO, _KEEP = "SPECSPAN_SAMPLING_RATIO", "SPECSPAN_SAMPLING_KEEP"
_YES, _NO = ("true", "on", "yes"), ("false", "off", "no")
_OTLP = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}


@dataclass(frozen=True, slots=True)
class Environment:
    """The variables that concern `configure`, read once."""

    disabled: bool
    """``OTEL_SDK_DISABLED``: no telemetry of any kind."""
    policy: str | None
    """``SPECSPAN_POLICY``: a path."""
    mode: str | None
    """``SPECSPAN_MODE``."""
    policy_environment: str | None
    """``SPECSPAN_ENV``: a name under ``environments`` of the policy."""
    policy_reload_s: float | None
    """``SPECSPAN_POLICY_RELOAD``: how often to look whether the policy changed; None: never."""
    bridges: bool
    """``SPECSPAN_BRIDGES``: decide the calls that others trace, too."""
    sampling: Sampling | None
    """``SPECSPAN_SAMPLING_RATIO`` and ``SPECSPAN_SAMPLING_KEEP``; None: OpenTelemetry's sampler alone."""
    decisions: tuple[str, ...]
    """Names of decision exporters (``SPECSPAN_DECISION_EXPORTER``, by default ``sqlite``)."""
    traces: tuple[str, ...]
    """Names of OpenTelemetry's span exporters."""
    metrics: tuple[str, ...]
    logs: tuple[str, ...]

    def with_sqlite(self) -> Environment:
        """The same, with spans and decisions going to SQLite besides."""
        return replace(
            self,
            traces=tuple(dict.fromkeys((*self.traces, SQLITE_SPANS))),
            decisions=tuple(dict.fromkeys((*self.decisions, SQLITE_DECISIONS))),
        )


def read_environment(environ: Mapping[str, str]) -> Environment:
    """Read the variables; an empty one counts as unset, as OpenTelemetry has it.

    Raises:
        ConfigurationError: a protocol that OTLP does not have, a time that is none, or no share of traces.
    """
    given = {name: value.strip() for name, value in environ.items() if value.strip()}
    return Environment(
        disabled=given.get("OTEL_SDK_DISABLED", "").casefold() == "true",
        policy=given.get("SPECSPAN_POLICY"),
        mode=given.get("SPECSPAN_MODE"),
        policy_environment=given.get("SPECSPAN_ENV"),
        policy_reload_s=_interval_s(given.get(_RELOAD, "off")),
        bridges=_switch(given, "SPECSPAN_BRIDGES"),
        sampling=_sampling(given),
        decisions=_names(given.get("SPECSPAN_DECISION_EXPORTER", SQLITE_DECISIONS)),
        traces=_exporters(given, "TRACES", otherwise=SQLITE_SPANS),
        metrics=_exporters(given, "METRICS", otherwise="none"),
        logs=_exporters(given, "LOGS", otherwise="none"),
    )


def _switch(given: Mapping[str, str], name: str) -> bool:
    word = given.get(name, "off").casefold()
    if word in (*_YES, "1"):
        return True
    if word in (*_NO, "0"):
        return False
    raise ConfigurationError(name, Problem(f"{given[name]!r} is neither true nor false", "Use one of them."))


def check_interval(interval_s: float, source: str) -> float:
    """An interval between looks at the policy's files, in seconds.

    Raises:
        ConfigurationError: it is none; ``source`` is named.
    """
    if 0 < interval_s <= MAX_RELOAD_S:
        return interval_s
    problem = Problem(f"{interval_s} is no time between looks", "Give seconds, more than none and at most a day.")
    raise ConfigurationError(source, problem)


def _interval_s(text: str) -> float | None:
    """``5``, ``5s``, ``true`` or ``off``."""
    word = text.casefold()
    if word in _NO or word == "0":
        return None
    if word in _YES:
        return RELOAD_S
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*s?", word)
    if match is None:
        problem = Problem(f"{text!r} is no time between looks", "Give seconds, such as 5s, or off.")
        raise ConfigurationError(_RELOAD, problem)
    return check_interval(float(match[1]), _RELOAD)


def parse_ratio(ratio: float | str, source: str, keep: frozenset[Keep] = ALWAYS_KEPT) -> Sampling:
    """Sampling of a share of traces, and of those worth keeping.

    Raises:
        ConfigurationError: it is no share; ``source`` is named.
    """
    try:
        return Sampling(float(ratio), keep)
    except ValueError:
        problem = Problem(f"{ratio!r} is no share of traces", "Give a number from 0 to 1, such as 0.01.")
        raise ConfigurationError(source, problem) from None


def _sampling(given: Mapping[str, str]) -> Sampling | None:
    if not {_RATIO, _KEEP} & given.keys():
        return None
    keep = frozenset(_kept(word) for word in _names(given[_KEEP])) if _KEEP in given else ALWAYS_KEPT
    if _RATIO not in given:  # what is worth keeping of what OTEL_TRACES_SAMPLER leaves out
        return Sampling(None, keep)
    return parse_ratio(given[_RATIO], _RATIO, keep)


def _kept(word: str) -> Keep:
    try:
        return Keep(word)
    except ValueError:
        problem = Problem(
            f"{word!r} makes no trace worth keeping", f"Use some of {', '.join(each.value for each in Keep)}."
        )
        raise ConfigurationError(_KEEP, problem) from None


def _exporters(given: Mapping[str, str], signal: str, *, otherwise: str) -> tuple[str, ...]:
    endpoint = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" in given or "OTEL_EXPORTER_OTLP_ENDPOINT" in given
    asked = given.get(f"OTEL_{signal}_EXPORTER", "otlp" if endpoint else otherwise)
    return tuple(_over_protocol(given, signal) if name == "otlp" else name for name in _names(asked))


def _over_protocol(given: Mapping[str, str], signal: str) -> str:
    own, common = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    protocol = given.get(own) or given.get(common) or "http/protobuf"
    if protocol not in _OTLP:
        variable = own if own in given else common
        problem = f"OpenTelemetry for Python has no OTLP protocol {protocol!r}"
        raise ConfigurationError(variable, Problem(problem, f"Use one of {', '.join(_OTLP)}."))
    return _OTLP[protocol]


def _names(listed: str) -> tuple[str, ...]:
    names = (name.strip() for name in listed.split(","))
    return tuple(name for name in names if name and name != "none")
