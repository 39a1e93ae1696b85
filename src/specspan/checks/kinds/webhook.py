"""Kind ``webhook``: a service of your own decides. Requests are signed as Standard Webhooks 1.0 says."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from specspan._support.signed_posts import LEAST_KEY_BYTES, decode_secret, signature
from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, TextAt
from specspan.checks.foreign.call_json import call_json
from specspan.checks.foreign.guardrail_check import ServiceConfig, finding_of
from specspan.checks.foreign.json_posts import JsonEndpoint, json_endpoint
from specspan.checks.foreign.service_check import ServiceCheck
from specspan.checks.foreign.verdict import InvalidVerdict, verdict_from_json
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "webhook"


class WebhookConfig(ServiceConfig):
    """Configuration under ``webhook`` in a policy file."""

    url: str
    secret_variable: str | None = None
    """Environment variable with the secret, ``whsec_`` and base64; without it requests are not signed."""


SCHEMA = hoist_definitions(
    {
        **WebhookConfig.model_json_schema(),
        "description": "a service of your own decides, asked by a signed request",
        "examples": [{"url": "https://guard.example/check", "stage": "input"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``webhook`` in a policy file."""
    config = WebhookConfig.model_validate(configuration)
    endpoint = json_endpoint(config.url)
    key = None if config.secret_variable is None else _key(config.secret_variable)
    host = config.url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    webhook = _Webhook(clause_id, endpoint, key, config.stage)
    ref = CheckRef(config.name or f"webhook/{host}", CheckMechanism.CLASSIFIER, config.version or "1")
    return ServiceCheck(ref, config.traits(), webhook.ask)


@dataclass(frozen=True, slots=True)
class _Webhook:
    clause_id: str
    endpoint: JsonEndpoint
    key: bytes | None
    stage: Stage

    def ask(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding:
        """Post the call, and return the finding in the answer."""
        id_, timestamp = f"msg_{uuid.uuid4().hex}", str(int(time.time()))
        told = {
            "type": "specspan.check",
            "timestamp": timestamp,
            "data": call_json(self.clause_id, call, self.stage, texts),
        }
        body = json.dumps(told).encode()
        headers = {"webhook-id": id_, "webhook-timestamp": timestamp}
        if self.key is not None:
            headers["webhook-signature"] = signature(self.key, id_, timestamp, body)
        return finding_from_answer(self.endpoint.post(body, headers), texts)


def finding_from_answer(answer: Any, texts: Sequence[TextAt]) -> Finding:
    """Return the finding in an answer: one verdict, with ``texts`` that say by pointer where it stands.

    Raises:
        InvalidVerdict: it says something else.
    """
    if not isinstance(answer, dict):
        raise InvalidVerdict("an answer that is not an object")
    by_pointer = {text.pointer: text for text in texts}
    told = answer.get("texts") or []
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        raise InvalidVerdict("texts that are not a list of objects")
    verdicts = []
    for each in told:
        text = by_pointer.get(each.get("pointer"))
        if text is None:
            raise InvalidVerdict("a pointer to no text that was sent")
        verdicts.append((text, verdict_from_json({**answer, **each}, text.text, KIND)))
    if verdicts:
        return finding_of(verdicts)
    whole = verdict_from_json({**answer, "spans": None, "masked": None}, "", KIND)
    evidence = [place for text in texts for place in text.evidence(0, len(text.text))]
    is_violated = whole.outcome is Outcome.VIOLATED
    return Finding(whole.outcome, whole.reason, whole.score, whole.explanation, tuple(evidence if is_violated else ()))


def _key(variable: str) -> bytes:
    key = decode_secret(os.environ.get(variable, ""))
    if key is None:
        remedy = f"Set it to 'whsec_' and base64 of at least {LEAST_KEY_BYTES} random bytes."
        raise CheckConfigError(f"no valid secret in {variable}", remedy, "secret_variable")
    return key
