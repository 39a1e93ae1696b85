"""specspan instruments model calls with spans that say which clauses of a behaviour specification applied."""

from typing import TYPE_CHECKING

from specspan._support.lazy_names import lazy_names
from specspan.instrument.entry import instrument, uninstrument  # at once, as a package has the name of the function

if TYPE_CHECKING:
    from specspan.approvals.approval import approval
    from specspan.call import ModelCall
    from specspan.checks.registry import check
    from specspan.decision import Action, Decision, Evidence, Finding, Mode, Outcome, Severity, Stage, Verdict
    from specspan.errors import (
        Blocked,
        ConfigurationError,
        MissingDependency,
        PolicyError,
        SpecError,
        SpecspanError,
        StoreError,
    )
    from specspan.instrument.blocks import agent, tool_call, workflow
    from specspan.instrument.context import context, override, revoke, spend
    from specspan.instrument.decorators import observe
    from specspan.record.sampling.rules import Keep, Sampling
    from specspan.runtime.configure import configure, force_flush, shutdown
    from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy
    from specspan.version import __version__
else:
    __getattr__, __dir__ = lazy_names(
        globals(),
        {
            "approvals.approval": "approval",
            "call": "ModelCall",
            "checks.registry": "check",
            "decision": "Action Decision Evidence Finding Mode Outcome Severity Stage Verdict",
            "errors": "Blocked ConfigurationError MissingDependency PolicyError SpecError SpecspanError StoreError",
            "instrument.blocks": "agent tool_call workflow",
            "instrument.context": "context override revoke spend",
            "instrument.decorators": "observe",
            "record.sampling.rules": "Keep Sampling",
            "runtime.configure": "configure force_flush shutdown",
            "scope.scope": "ArgumentLimit Cost ScopeOfAutonomy",
            "version": "__version__",
        },
    )

__all__ = [
    "Action",
    "ArgumentLimit",
    "Blocked",
    "ConfigurationError",
    "Cost",
    "Decision",
    "Evidence",
    "Finding",
    "Keep",
    "MissingDependency",
    "Mode",
    "ModelCall",
    "Outcome",
    "PolicyError",
    "Sampling",
    "ScopeOfAutonomy",
    "Severity",
    "SpecError",
    "SpecspanError",
    "Stage",
    "StoreError",
    "Verdict",
    "__version__",
    "agent",
    "approval",
    "check",
    "configure",
    "context",
    "force_flush",
    "instrument",
    "observe",
    "override",
    "revoke",
    "shutdown",
    "spend",
    "tool_call",
    "uninstrument",
    "workflow",
]
