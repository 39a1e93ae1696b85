"""Kind ``opa``: Open Policy Agent decides, asked over its REST API.

Source: https://www.openpolicyagent.org/docs/rest-api, "Get a Document (with Input)".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, TextAt
from specspan.checks.foreign.call_json import call_json
from specspan.checks.foreign.guardrail_check import ServiceConfig
from specspan.checks.foreign.json_posts import JsonEndpoint, json_endpoint
from specspan.checks.foreign.service_check import ServiceCheck
from specspan.checks.foreign.verdict import InvalidVerdict, code_of
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "opa"
UNDEFINED = "opa_undefined"
"""Error: the policy has no such document, or none for this input."""


class OpaConfig(ServiceConfig):
    """Configuration under ``opa`` in a policy file."""

    url: str
    """Address of the server, such as ``http://127.0.0.1:8181``."""
    path: str
    """Path of the document below ``data``, such as ``agents/allow``."""


SCHEMA = hoist_definitions(
    {
        **OpaConfig.model_json_schema(),
        "description": "Open Policy Agent decides, by a rule such as `allow` or `deny`",
        "examples": [{"url": "http://127.0.0.1:8181", "path": "agents/allow", "stage": "tool_call"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``opa`` in a policy file."""
    config = OpaConfig.model_validate(configuration)
    endpoint = json_endpoint(config.url)
    if re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", config.path) is None:
        raise CheckConfigError(f"invalid path {config.path!r}", "Write one such as agents/allow.", "path")
    at_path = JsonEndpoint(f"{endpoint.url.rstrip('/')}/v1/data/{config.path}")
    ref = CheckRef(config.name or f"opa/{config.path}", CheckMechanism.CODE, config.version or "1")
    return ServiceCheck(ref, config.traits(), _Opa(clause_id, at_path, config.stage).ask)


@dataclass(frozen=True, slots=True)
class _Opa:
    clause_id: str
    endpoint: JsonEndpoint
    stage: Stage

    def ask(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding:
        """Have the document evaluated for the call."""
        body = json.dumps({"input": call_json(self.clause_id, call, self.stage, texts)}).encode()
        answer = self.endpoint.post(body, {})
        if not isinstance(answer, Mapping):
            raise InvalidVerdict("an answer that is not an object")
        if "result" not in answer:
            return Finding(Outcome.ERROR, UNDEFINED)
        decision = answer.get("decision_id")
        return _finding(answer["result"], decision if isinstance(decision, str) else None)


def _finding(result: Any, decision: str | None) -> Finding:
    """Return the finding in a document: true for what may pass, an object with ``allow``, or a list of objections."""
    explanation = None if decision is None else f"decision {decision}"
    objections: Any = ()
    if isinstance(result, Mapping):
        objections = result.get("reasons", result.get("deny", ()))
        result = result.get("allow", not objections)
    elif isinstance(result, list):
        objections, result = result, not result
    if not isinstance(result, bool) or not isinstance(objections, (list, tuple, Mapping)):
        raise InvalidVerdict("a document that is neither true nor false")
    if result:
        return Finding(Outcome.COMPLIED)
    return Finding(Outcome.VIOLATED, code_of(next(iter(objections), None), KIND), explanation=explanation)
