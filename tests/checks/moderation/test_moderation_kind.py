"""`moderation`: services are asked by their own clients, on the loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from loopback import Answer, Asked, serving

from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.moderation import assessment
from specspan.checks.moderation.openai_moderation import CATEGORIES
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Finding, Outcome

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:google")

BAD, TEMPLATE = "I hate you, 030 1234.", "projects/p/locations/europe-west4/templates/t"


class Services:
    """The four services, whose answers a test can change; a text with "hate" in it is hateful."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.url = ""
        self.changes: Answer | dict[str, Any] = {}

    def __call__(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if isinstance(self.changes, Answer):
            return self.changes
        is_bad = b"hate" in asked.body
        if asked.path.endswith("/moderations"):
            told = of_openai(is_bad=is_bad)
        elif "/contentsafety/" in asked.path:
            told = of_azure(is_bad=is_bad)
        elif asked.path.startswith("/guardrail/"):
            told = of_bedrock(is_bad=is_bad)
        else:
            told = of_google(is_bad=is_bad)
        body = json.dumps({**told, **self.changes}).encode()
        return Answer(body=body, headers={"Content-Type": "application/json"})


def of_openai(*, is_bad: bool) -> dict[str, Any]:
    names = [name.replace("_", "/", 1) if name.startswith("hate") else name.replace("_", "-") for name in CATEGORIES]
    scores = dict.fromkeys(names, 0.01) | {"hate": 0.8 if is_bad else 0.02}
    flags = dict.fromkeys(names, False) | {"hate": is_bad}
    return {
        "id": "m",
        "model": "omni",
        "results": [{"flagged": is_bad, "categories": flags, "category_scores": scores}],
    }


def of_azure(*, is_bad: bool) -> dict[str, Any]:
    severities = {"Hate": 6 if is_bad else 0, "SelfHarm": 0, "Sexual": 0, "Violence": 2}
    return {"categoriesAnalysis": [{"category": name, "severity": each} for name, each in severities.items()]}


def of_bedrock(*, is_bad: bool) -> dict[str, Any]:
    if not is_bad:
        return {"action": "NONE", "outputs": [], "assessments": [{}], "usage": {}}
    pii = {"match": "030 1234", "type": "PHONE", "action": "ANONYMIZED"}
    hate = {"type": "HATE", "confidence": "MEDIUM", "action": "NONE"}
    found = {"contentPolicy": {"filters": [hate]}, "sensitiveInformationPolicy": {"piiEntities": [pii], "regexes": []}}
    outputs = [{"text": "I hate you, {PHONE}."}]
    return {"action": "GUARDRAIL_INTERVENED", "outputs": outputs, "assessments": [found], "usage": {}}


def of_google(*, is_bad: bool) -> dict[str, Any]:
    state = "MATCH_FOUND" if is_bad else "NO_MATCH_FOUND"
    done = {"executionState": "EXECUTION_SUCCESS", "matchState": state}
    hate = (
        {"filterType": "HATE_SPEECH", "confidenceLevel": "HIGH", "matchState": state}
        if is_bad
        else {"matchState": state}
    )
    masked = {"data": {"text": "I hate you, [PHONE]."}} if is_bad else {}
    results = {
        "rai": {"raiFilterResult": {**done, "raiFilterTypeResults": {"hate_speech": hate}}},
        "sdp": {"sdpFilterResult": {"deidentifyResult": {**done, **masked}}},
        "csam": {"csamFilterFilterResult": {"executionState": "EXECUTION_SKIPPED"}},
    }
    return {"sanitizationResult": {"filterMatchState": state, "filterResults": results}}


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    for name in ("AZURE_CONTENT_SAFETY_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assessment._shared.clear()
    found = Services()
    with serving(found) as found.url:
        yield found


OPTIONS: dict[str, dict[str, Any]] = {
    "openai": {"categories": ["hate"]},
    "azure": {"categories": ["hate"]},
    "bedrock": {"categories": {"hate": 0.5}, "guardrail": "g1", "guardrail_version": "2", "region": "eu-west-1"},
    "google": {"categories": ["hate_speech"], "template": TEMPLATE},
}


def decided(services: Services, service: str, text: str, **more: Any) -> Finding:
    call = ModelCall(Request("openai"), Response(output=(Message("assistant", (Text(text),)),)))
    options = {"service": service, "endpoint": services.url, **OPTIONS[service], **more}
    check = kinds()["moderation"].build("be_kind", options)
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def said(finding: Finding) -> tuple[Outcome, str | None]:
    return finding.outcome, finding.reason


@pytest.mark.parametrize(
    ("service", "reason", "score", "path"),
    [
        ("openai", "hate", 0.8, "/moderations"),
        ("azure", "hate", 6 / 7, "/contentsafety/text:analyze?api-version="),
        ("bedrock", "hate", 0.6, "/guardrail/g1/version/2/apply"),
        ("google", "hate_speech", 0.9, f"/v1/{TEMPLATE}:sanitizeModelResponse"),
    ],
)
def test_each_service_passes_objects_and_fails(
    services: Services, service: str, reason: str, score: float, path: str
) -> None:
    """By its real client: a good text, a bad one with its category and score, and a server that is out of order."""
    assert said(decided(services, service, "Good day.")) == (Outcome.COMPLIED, None)
    bad = decided(services, service, BAD)
    assert said(bad) == (Outcome.VIOLATED, reason)
    assert bad.score == pytest.approx(score)
    assert services.asked[-1].path.startswith(path)
    services.changes = Answer(400, b'{"error": {"code": "x", "message": "y"}}', {"Content-Type": "application/json"})
    assert said(decided(services, service, "Another day.")) == (Outcome.ERROR, "guardrail_failed")


@pytest.mark.parametrize("service", ["bedrock", "google"])
def test_what_a_service_masks_is_evidence(services: Services, service: str) -> None:
    """The place that it would have replaced is the one to redact; its own refusal would not be."""
    finding = decided(services, service, BAD, categories=None)
    assert [(each.start, each.end) for each in finding.evidence] == [(12, 20)]


def test_a_text_is_sent_once_for_all_clauses(services: Services) -> None:
    """Clauses with other categories of one service share its answer; another stage or text is asked for anew."""
    for category in ("hate", "violence", "self_harm"):
        decided(services, "openai", BAD, categories=[category])
    assert len(services.asked) == 1
    decided(services, "openai", "Good day.")
    assert len(services.asked) == 2


def test_a_score_may_count_before_the_service_objects(services: Services) -> None:
    """With a score, the clause decides; without one, the service; a category of another clause for neither."""
    assert said(decided(services, "azure", "Good day.", categories={"violence": 0.2})) == (Outcome.VIOLATED, "violence")
    assert said(decided(services, "azure", "Good day.", categories=["violence"])) == (Outcome.COMPLIED, None)
    assert said(decided(services, "azure", BAD, categories=["sexual"])) == (Outcome.COMPLIED, None)


def result_of(scores: dict[str, float]) -> dict[str, Any]:
    return {"flagged": False, "categories": dict.fromkeys(scores, False), "category_scores": scores}


@pytest.mark.parametrize(
    ("service", "changes", "reason"),
    [
        ("openai", {"results": []}, "moderation_nonsense"),
        (
            "openai",
            {"results": [{"categories": {"hate": True}, "category_scores": {"hate": 7}}]},
            "moderation_nonsense",
        ),
        ("openai", {"results": [{"categories": {}, "category_scores": {}}]}, "moderation_category_missing"),
        ("azure", {"categoriesAnalysis": []}, "moderation_category_missing"),
        ("azure", {"categoriesAnalysis": [{"category": "Hate", "severity": 99}]}, "moderation_nonsense"),
        ("bedrock", {"action": "SHRUG"}, "moderation_nonsense"),
        ("google", {"sanitizationResult": {}}, "moderation_category_missing"),
    ],
)
def test_an_answer_that_says_too_little_is_an_error(
    services: Services, service: str, changes: dict[str, Any], reason: str
) -> None:
    """A category that was not looked at has not complied."""
    services.changes = changes
    assert said(decided(services, service, "Good day.")) == (Outcome.ERROR, reason)


def test_a_filter_that_was_skipped_is_an_error(services: Services) -> None:
    """Model Armor says that it did not look."""
    finding = decided(services, "google", "Good day.", categories=["csam"])
    assert said(finding) == (Outcome.ERROR, "moderation_category_missing")


def test_a_missing_key_is_an_error_of_the_call(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy loads where no key is, such as in a test; a call then has no verdict."""
    monkeypatch.delenv("AZURE_CONTENT_SAFETY_KEY")
    assert said(decided(services, "azure", "Good day.")) == (Outcome.ERROR, "moderation_no_credentials")


@pytest.mark.parametrize(
    ("configuration", "message", "key"),
    [
        ({"service": "openai", "categories": ["hatred"]}, "unknown category 'hatred'", "categories"),
        ({"service": "azure"}, "`moderation` by azure needs 'endpoint'", "endpoint"),
        ({"service": "bedrock"}, "`moderation` by bedrock needs 'guardrail'", "guardrail"),
        ({"service": "google"}, "`moderation` by google needs 'template'", "template"),
        ({"service": "azure", "endpoint": "file:///x"}, "invalid address 'file:///x'", "endpoint"),
    ],
)
def test_what_cannot_be_asked_is_refused(configuration: dict[str, Any], message: str, key: str) -> None:
    """A category that the service does not have, and what it cannot be reached without."""
    with pytest.raises(CheckConfigError) as caught:
        kinds()["moderation"].build("clause", configuration)
    assert (caught.value.message, caught.value.key) == (message, key)
