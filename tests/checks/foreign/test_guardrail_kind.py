"""`guardrail`: a plain function of a text decides, masks, fails or talks nonsense."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import guardrail_functions
import pytest
from opentelemetry import trace

import specspan
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks.check import Check, CheckConfigError, as_finding
from specspan.checks.foreign.verdict import changed_spans, spans_of
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome
from specspan.testing import recorded

SPEC = "# Shop {#shop}\n\n## Name no competitor {#no_competitor authority=user}\n\nName none.\n"


def built(function: str, **more: Any) -> Check:
    return kinds()["guardrail"].build("clause", {"function": f"guardrail_functions:{function}", **more})


def decided(check: Check, answer: str, sent: tuple[Message, ...] = ()) -> Finding:
    call = ModelCall(Request("openai", input=sent), Response(output=(Message("assistant", (Text(answer),)),)))
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def told(answer: Any) -> Finding:
    """The finding where the guardrail answers this."""
    guardrail_functions.ANSWERS["the text"] = answer
    return decided(built("as_told"), "the text")


def test_a_check_has_the_name_of_its_function() -> None:
    """Or the name and version that the policy gives it; it runs on a worker's thread."""
    check = built("no_competitors")
    assert check.ref == CheckRef("guardrail_functions:no_competitors", CheckMechanism.CLASSIFIER, "1")
    assert check.traits.timeout_s == 10
    assert built("no_competitors", name="competitors", version="7").ref.version == "7"


def test_true_passes_and_false_objects_to_the_whole_text() -> None:
    """The evidence of an objection without a place is all of the text."""
    check = built("no_competitors")
    assert decided(check, "Buy ours.").outcome is Outcome.COMPLIED
    finding = decided(check, "Buy Acme.")
    assert (finding.outcome, finding.reason) == (Outcome.VIOLATED, "guardrail")
    assert [(each.pointer, each.start, each.end) for each in finding.evidence] == [("/output/0/parts/0", 0, 9)]


def test_a_masked_text_names_the_places() -> None:
    """A function that hands back another text objects to what it changed."""
    finding = decided(built("mask_digits"), "Call 030 1234 or write.")
    assert (finding.outcome, finding.reason) == (Outcome.VIOLATED, "masked")
    assert [(each.start, each.end) for each in finding.evidence] == [(5, 8), (9, 13)]
    assert decided(built("mask_digits"), "Write.").outcome is Outcome.COMPLIED


@pytest.mark.parametrize(
    ("answer", "outcome", "reason"),
    [
        ({"outcome": "violated", "reason": "Hate Speech!", "score": 0.9}, Outcome.VIOLATED, "hate_speech"),
        ({"outcome": "uncertain"}, Outcome.UNCERTAIN, "guardrail"),
        ({"outcome": "not_applicable"}, Outcome.NOT_APPLICABLE, None),
        ({"outcome": "complied", "masked": "the ****"}, Outcome.VIOLATED, "guardrail"),
        ({"outcome": "fine"}, Outcome.ERROR, "guardrail_nonsense"),
        ({"outcome": "violated", "spans": [[0, 99]]}, Outcome.ERROR, "guardrail_nonsense"),
        ({"outcome": "violated", "spans": [[True, 2]]}, Outcome.ERROR, "guardrail_nonsense"),
        ({"outcome": "violated", "score": "high"}, Outcome.ERROR, "guardrail_nonsense"),
        ({"outcome": "complied", "masked": 7}, Outcome.ERROR, "guardrail_nonsense"),
        (None, Outcome.ERROR, "guardrail_nonsense"),
        (1, Outcome.ERROR, "guardrail_nonsense"),
        (b"the text", Outcome.ERROR, "guardrail_nonsense"),
        (RuntimeError("model not loaded"), Outcome.ERROR, "guardrail_failed"),
        (RecursionError(), Outcome.ERROR, "guardrail_failed"),
    ],
)
def test_what_a_guardrail_may_say(answer: Any, outcome: Outcome, reason: str | None) -> None:
    """A verdict as an object is taken; nonsense and failures are errors, and never compliance."""
    finding = told(answer)
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_an_error_whose_text_cannot_be_made_is_an_error() -> None:
    """What is raised is described as far as it can be."""

    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert told(Odd()).explanation == "Odd"


def test_on_input_the_newest_messages_are_read() -> None:
    """Those after the model's latest answer, unless all are asked for; a text that is too long is an error."""
    sent = tuple(Message(role, (Text(text),)) for role, text in (("user", "acme"), ("assistant", "ok"), ("user", "hi")))
    assert decided(built("no_competitors", stage="input"), "x", sent).outcome is Outcome.COMPLIED
    assert decided(built("no_competitors", stage="input", messages="all"), "x", sent).outcome is Outcome.VIOLATED
    assert decided(built("no_competitors", max_chars=3), "four").reason == "guardrail_text_too_long"


@pytest.mark.parametrize(
    ("configuration", "key"),
    [
        ("nowhere:function", "function"),
        ("guardrail_functions:ANSWERS", "function"),
        ({"function": "guardrail_functions:no_competitors", "stage": "stream"}, "stage"),
    ],
)
def test_what_cannot_be_asked_is_refused(configuration: Any, key: str) -> None:
    """A function that is not there, what cannot be called, and a stage without whole texts."""
    with pytest.raises(CheckConfigError) as caught:
        kinds()["guardrail"].build("clause", configuration)
    assert caught.value.key == key


def test_changed_places_are_found_by_words() -> None:
    """What is only added makes the whole text the place; a long text has one place."""
    assert changed_spans("a b c", "a b c") == ()
    assert changed_spans("mail a@b.de now", "mail <EMAIL> now") == ((5, 11),)
    assert changed_spans("a b", "a b c") == ((0, 3),)
    long = "word " * 5000
    assert changed_spans(long + "x" + long, long + "y" + long) == ((25000, 25001),)
    assert spans_of("Acme, ACME and iacme", ["acme", "", 3]) == ((0, 4), (6, 10), (16, 20))


@specspan.observe(model="parrot-1")
def parrot(text: str) -> str:
    return text


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "shop.md").write_text(SPEC)
    path = tmp_path / "policy.yaml"
    path.write_text(
        "spec: shop.md\nmode: enforce\nclauses:\n  no_competitor:\n    action: redact\n    checks:\n"
        "      - guardrail: {function: 'guardrail_functions:traces_itself', stage: input}\n"
        "      - guardrail: {function: 'guardrail_functions:mask_digits'}\n"
    )
    return path


def test_its_spans_and_ours_are_one_tree(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guardrail that traces itself does so below the span of the call, although it runs on another thread."""
    with recorded(policy) as what:
        monkeypatch.setattr(trace, "get_tracer", _tracer)
        assert parrot("call 12 now") == "call [redacted:masked] now"
        spans = {span.name: span for span in what.spans}
    assert spans["guardrail.check"].parent == spans["chat parrot-1"].context


def _tracer(name: str) -> trace.Tracer:
    from specspan.instrument.gate import active

    pipeline = active()
    assert pipeline is not None
    tracer: trace.Tracer = pipeline.recorder._tracer
    return tracer
