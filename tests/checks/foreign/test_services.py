"""`webhook` and `opa`: services that decide, on the loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback import Answer, Asked, serving

import specspan
from specspan.call import CallContext, Message, ModelCall, Request, Response, Text, ToolCall
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Finding, Outcome
from specspan.testing import recorded

KEY = bytes(range(32))
SPEC = "# Shop {#shop}\n\n## Pay what was agreed {#agreed authority=user}\n\nPay that.\n"


class Service:
    """A service that answers as the test says, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.says: Callable[[Any], Any] = lambda told: {"outcome": "complied"}
        self.url = ""

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        said = self.says(json.loads(asked.body))
        return said if isinstance(said, Answer) else Answer(body=json.dumps(said).encode())


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    with serving(service) as service.url:
        yield service


PAYS = ToolCall("pay", {"amount": 60}, "1")


def decided(kind: str, configuration: dict[str, Any], *, answer: str = "Call 030 1234.") -> Finding:
    call = ModelCall(
        Request("openai", model="gpt-5", input=(Message("user", (Text("Pay!"),)),)),
        Response(output=(Message("assistant", (Text(answer), PAYS)),)),
        CallContext(user="u-7", attributes={"tier": "gold"}),
    )
    check = kinds()[kind].build("agreed", configuration)
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def said(finding: Finding) -> tuple[Outcome, str | None]:
    return finding.outcome, finding.reason


def test_a_webhook_is_told_the_call_and_can_tell_who_asks(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Id, timestamp and a signature over both and the body, as Standard Webhooks has it; and the call."""
    monkeypatch.setenv("GUARD_SECRET", "whsec_" + base64.b64encode(KEY).decode())
    finding = decided("webhook", {"url": service.url, "secret_variable": "GUARD_SECRET"})
    assert said(finding) == (Outcome.COMPLIED, None)
    (asked,) = service.asked
    headers = {name.lower(): value for name, value in asked.headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + asked.body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    data = json.loads(asked.body)["data"]
    assert (data["clause"], data["stage"], data["context"]["user"]) == ("agreed", "output", "u-7")
    assert data["texts"] == [{"pointer": "/output/0/parts/0", "role": "assistant", "text": "Call 030 1234."}]
    assert data["tools"] == [{"name": "pay", "arguments": {"amount": 60}}]


@pytest.mark.parametrize(
    ("answer", "expected", "spans"),
    [
        ({"outcome": "violated", "reason": "phone"}, (Outcome.VIOLATED, "phone"), [(0, 14)]),
        (
            {"outcome": "violated", "reason": "phone", "texts": [{"pointer": "/output/0/parts/0", "spans": [[5, 13]]}]},
            (Outcome.VIOLATED, "phone"),
            [(5, 13)],
        ),
        (
            {"outcome": "complied", "texts": [{"pointer": "/output/0/parts/0", "masked": "Call <PHONE>."}]},
            (Outcome.VIOLATED, "webhook"),
            [(5, 13)],
        ),
        ({"outcome": "uncertain", "reason": "asleep"}, (Outcome.UNCERTAIN, "asleep"), []),
        ({"outcome": "violated", "texts": [{"pointer": "/nowhere"}]}, (Outcome.ERROR, "guardrail_nonsense"), []),
        ({"verdict": "yes"}, (Outcome.ERROR, "guardrail_nonsense"), []),
        ([], (Outcome.ERROR, "guardrail_nonsense"), []),
        (Answer(body=b"<html>"), (Outcome.ERROR, "guardrail_nonsense"), []),
        (Answer(body=b"[" * 100_000), (Outcome.ERROR, "guardrail_nonsense"), []),
        (Answer(body=b" " * 1_100_000), (Outcome.ERROR, "guardrail_nonsense"), []),
        (Answer(500), (Outcome.ERROR, "guardrail_failed"), []),
        (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), (Outcome.ERROR, "guardrail_failed"), []),
    ],
)
def test_what_a_webhook_answers(service: Service, answer: Any, expected: object, spans: object) -> None:
    """A verdict, with places or a masked text; everything else is an error, and no redirect is followed."""
    service.says = lambda told: answer
    finding = decided("webhook", {"url": service.url})
    assert said(finding) == expected
    assert [(each.start, each.end) for each in finding.evidence] == spans


def test_a_service_that_is_not_there_is_an_error() -> None:
    """Nothing of the address is in the explanation."""
    finding = decided("webhook", {"url": "http://user:password@127.0.0.1:9/check"})
    assert (said(finding), finding.explanation) == ((Outcome.ERROR, "guardrail_failed"), "URLError")


@pytest.mark.parametrize(
    ("kind", "configuration", "key"),
    [
        ("webhook", {"url": "file:///etc/passwd"}, "url"),
        ("webhook", {"url": "http://127.0.0.1/", "secret_variable": "NOT_SET"}, "secret_variable"),
        ("opa", {"url": "ftp://127.0.0.1", "path": "a"}, "url"),
        ("opa", {"url": "http://127.0.0.1", "path": "a", "stage": "stream"}, "stage"),
        ("opa", {"url": "http://127.0.0.1", "path": "../policies"}, "path"),
    ],
)
def test_what_cannot_be_asked_is_refused(kind: str, configuration: dict[str, Any], key: str) -> None:
    """Another protocol, a secret that is not set, a stage without whole texts."""
    with pytest.raises(CheckConfigError) as caught:
        kinds()[kind].build("clause", configuration)
    assert caught.value.key == key


def limit(told: Any) -> Any:
    """Answer as OPA does for a package with a rule on amounts."""
    over = [tool["name"] for tool in told["input"]["tools"] if tool["arguments"]["amount"] > 50]
    return {"result": {"allow": not over, "reasons": [f"{name} over limit" for name in over]}, "decision_id": "d-1"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"result": True}, (Outcome.COMPLIED, None)),
        ({"result": False}, (Outcome.VIOLATED, "opa")),
        ({"result": []}, (Outcome.COMPLIED, None)),
        ({"result": ["amount over limit"]}, (Outcome.VIOLATED, "amount_over_limit")),
        ({"result": {"deny": []}}, (Outcome.COMPLIED, None)),
        ({"result": {"allow": False, "reasons": {"late": True}}}, (Outcome.VIOLATED, "late")),
        ({}, (Outcome.ERROR, "opa_undefined")),
        ({"result": "yes"}, (Outcome.ERROR, "guardrail_nonsense")),
        ({"result": {"allow": "yes"}}, (Outcome.ERROR, "guardrail_nonsense")),
        (Answer(500, b'{"code": "internal_error"}'), (Outcome.ERROR, "guardrail_failed")),
    ],
)
def test_what_opa_answers(service: Service, answer: Any, expected: object) -> None:
    """A boolean, an object with `allow`, a set of objections; a document that is undefined is an error."""
    service.says = lambda told: answer
    assert said(decided("opa", {"url": service.url, "path": "agents/allow", "stage": "tool_call"})) == expected
    assert [asked.path for asked in service.asked] == ["/v1/data/agents/allow"]


def test_opa_decides_by_the_tools_of_the_call(service: Service) -> None:
    """The input document has the call, its tools and its context; OPA's id of the decision is kept."""
    service.says = limit
    finding = decided("opa", {"url": service.url + "/", "path": "agents", "stage": "tool_call"})
    assert (said(finding), finding.explanation) == ((Outcome.VIOLATED, "pay_over_limit"), "decision d-1")


@specspan.observe(model="parrot-1")
def parrot(text: str) -> str:
    return text


def test_a_services_own_spans_are_in_the_calls_trace(service: Service, tmp_path: Path) -> None:
    """The request names the span of the call as the parent; what the service objects to is blocked."""
    (tmp_path / "shop.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(
        "spec: shop.md\nmode: enforce\nclauses:\n  agreed:\n    action: block\n    checks:\n"
        f"      - webhook: {{url: '{service.url}', stage: input}}\n"
    )
    service.says = lambda told: {"outcome": "violated", "reason": "not_agreed"}
    with recorded(tmp_path / "policy.yaml") as what:
        with pytest.raises(specspan.Blocked):
            parrot("pay")
        [span] = what.spans
    headers = {name.lower(): value for name, value in service.asked[0].headers.items()}
    assert span.context is not None
    assert headers["traceparent"] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-01"
