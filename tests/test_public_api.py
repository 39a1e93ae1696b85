"""The public names: adding one is a decision, removing or changing one breaks somebody."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import metadata
from typing import Any

import pytest

import specspan
import specspan.testing
import specspan.web

NAMES = """
Action ArgumentLimit Blocked ConfigurationError Cost Decision Evidence Finding Keep MissingDependency Mode ModelCall
Outcome PolicyError Sampling ScopeOfAutonomy Severity SpecError SpecspanError Stage StoreError Verdict __version__
agent approval check configure context force_flush instrument observe override revoke shutdown spend tool_call
uninstrument workflow
"""

TESTING_NAMES = """
FakeClock FakeDecisionIds FakeSpanIds JudgeFault MemoryDecisions Prompt Recorded Reply Script ScriptedJudge
ScriptedModel recorded
"""

SIGNATURES = {
    "agent": "(name, *, id=None, description=None, version=None)",
    "approval": "(*, timeout_s=300.0, default='deny', db=None, record_content=False)",
    "check": "(name, *, stage='output', version='1', timeout_s=1.0)",
    "configure": "(policy=None, *, mode=None, environment=None, reload=None, service_name=None, db=None, "
    "sampling=None, bridges=None, tracer_provider=None, meter_provider=None, logger_provider=None, "
    "decision_exporters=None, ledger=None)",
    "context": "(*, conversation=None, user=None, scope=None, **attributes)",
    "force_flush": "(timeout_s=5.0)",
    "instrument": "(*names)",
    "observe": "(function=None, /, *, name=None, attributes=None, model=None, provider='custom', operation='chat')",
    "override": "(clause, *, by, reason, until=None, implicit=False, source=None)",
    "revoke": "(clause, *, by, reason, until=None, source=None)",
    "shutdown": "()",
    "spend": "(amount, currency)",
    "tool_call": "(name, arguments=None, *, call_id=None)",
    "uninstrument": "()",
    "workflow": "(name)",
    "Finding": "(outcome, reason=None, score=None, explanation=None, evidence=(), clause='', authority='', "
    "severity='medium', action='flag', stage='output', check=None, duration_ns=0, judgement=None)",
    "Evidence": "(pointer, start, end)",
    "ScopeOfAutonomy": "(allowed_tools=None, limits=<factory>, deadline=None, cost_limit=None, details=<factory>)",
    "Sampling": "(ratio=1.0, keep=<factory>, max_bytes=67108864, max_age_s=300.0)",
    "ArgumentLimit": "(max=None, min=None, one_of=None, patterns=(), optional=False, forbidden=False)",
    "Cost": "(amount, currency)",
    "Blocked": "(decision)",
}


def shape(function: Any) -> str:
    """A signature without its annotations; defaults as they read."""
    parameters = [
        parameter.replace(annotation=parameter.empty) for parameter in inspect.signature(function).parameters.values()
    ]
    text = str(inspect.Signature(parameters))
    for word in (*specspan.Severity, *specspan.Action, *specspan.Stage):
        text = text.replace(repr(word), repr(word.value))
    return text


def in_a_fresh_interpreter(script: str) -> str:
    return subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout


def test_the_public_names_are_these() -> None:
    """`__all__` is the promise, and every name in it is there and documented."""
    assert sorted(specspan.__all__) == NAMES.split()
    assert sorted(specspan.testing.__all__) == TESTING_NAMES.split()
    assert sorted(specspan.web.__all__) == ["AsgiMiddleware", "WsgiMiddleware"]
    for module in (specspan, specspan.testing, specspan.web):
        for name in module.__all__:
            assert name == "__version__" or inspect.getdoc(getattr(module, name)), f"{name} has no docstring"


@pytest.mark.parametrize("name", SIGNATURES)
def test_public_signatures_are_these(name: str) -> None:
    """Parameters keep their names, order and defaults."""
    assert shape(getattr(specspan, name)) == SIGNATURES[name]


def test_the_version_is_public() -> None:
    """`specspan.__version__` names the installed version."""
    assert specspan.__version__ == metadata.version("specspan")


def test_importing_is_light() -> None:
    """A library that decorates its functions does not make its users pay for clients, the SDK or the command line."""
    script = "import specspan, sys; print(*sys.modules)"
    modules = set(in_a_fresh_interpreter(script).split())
    heavy = {"openai", "rich", "click", "grpc", "requests", "pydantic", "yaml", "opentelemetry.sdk", "sqlite3"}
    assert modules & heavy == set()


def test_importing_opens_nothing() -> None:
    """No thread is started and no global OpenTelemetry provider is set by an import."""
    script = """
import specspan, threading
from opentelemetry import trace
print(threading.active_count(), type(trace.get_tracer_provider()).__name__)
"""
    assert in_a_fresh_interpreter(script).split() == ["1", "ProxyTracerProvider"]
