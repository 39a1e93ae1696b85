"""Functions that are model calls: one lifecycle for them and for every provider."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ended_spans import Spans
from opentelemetry import context as otel_context
from opentelemetry.trace import SpanKind
from policies import Code, bound, pattern, policy, says
from spoken_models import SECRET, Model, Say, clause, say_later, say_plain, say_stream, say_stream_later

from specspan.decision import Action, Mode, Outcome, Severity, Stage, Verdict
from specspan.errors import Blocked
from specspan.instrument.context import context, override
from specspan.instrument.decorators import observe
from specspan.scope.scope import ScopeOfAutonomy
from specspan.testing.memory import recorded

ALL = pytest.mark.parametrize("say", [say_plain, say_later, say_stream, say_stream_later])
STREAMS = pytest.mark.parametrize("say", [say_stream, say_stream_later])


@ALL
def test_a_call_is_a_client_span(spans: Spans, say: Say) -> None:
    """It is recorded as the model call that it is."""
    assert say(Model("hel", "lo"), "hi") == "hello"
    (span,) = spans.all
    assert (span.name, span.kind) == ("chat parrot", SpanKind.CLIENT)
    attributes = span.attributes or {}
    assert (attributes["gen_ai.provider.name"], attributes["gen_ai.request.model"]) == ("zoo", "parrot")
    assert spans.ending("chat parrot") == "completed"


@ALL
def test_without_violations_everything_passes(say: Say) -> None:
    """A call that complies is untouched, and the decision says which clause was looked at."""
    with recorded(clause(Action.BLOCK)) as record:
        model = Model("hel", "lo")
        assert say(model, "hi", {"a": 1}, b="x") == "hello"
    assert model.heard == ["hi", {"a": 1}, "x"]
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"]) == ("complied", "allow")


@ALL
def test_a_blocked_input_never_reaches_the_body(say: Say) -> None:
    """`Blocked` is raised before the body runs, and carries the decision."""
    with recorded(clause(Action.BLOCK, Stage.INPUT)) as record:
        model = Model("hello")
        with pytest.raises(Blocked) as caught:
            say(model, "mine is 123-45-6789")
    assert model.heard == []
    assert model.cleaned_up == 0
    assert (caught.value.decision.governing_clause, caught.value.decision.action) == ("privacy", Action.BLOCK)
    (span,) = record.spans
    assert (span.attributes or {})["error.type"] == "specspan.blocked"
    assert [decision["id"] for decision in record.decisions] == [caught.value.decision.id]


@ALL
def test_a_redacted_input(say: Say) -> None:
    """The body gets the redacted text in the same place, and what is no text as it was."""
    with recorded(clause(Action.REDACT, Stage.INPUT)):
        model = Model("hello")
        thing = object()
        assert say(model, "a", thing, "mine is 123-45-6789", key="or 123-45-6780") == "hello"
    assert model.heard == ["a", thing, "mine is [redacted:ssn]", "or [redacted:ssn]"]


@ALL
def test_a_blocked_output_is_not_handed_over(say: Say) -> None:
    """`Blocked` is raised in place of the result."""
    with recorded(clause(Action.BLOCK)) as record, pytest.raises(Blocked):
        say(Model("123-45-6789"))
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"]) == ("violated", "block")


@pytest.mark.parametrize("say", [say_plain, say_later])
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is [redacted:ssn]."), (Action.REPLACE, "(withheld)")]
)
def test_an_edited_output(say: Say, action: Action, handed_over: str) -> None:
    """The edited text takes the place of the result."""
    with recorded(clause(action)) as record:
        assert say(Model("It is ", "123-45-6789", ".")) == handed_over
    (decision,) = record.decisions
    assert decision["redacted"] == ["/output/0/parts/0"]


@STREAMS
@pytest.mark.parametrize(
    ("action", "handed_over"), [(Action.REDACT, "It is 123-[redacted:ssn]"), (Action.REPLACE, "It is 123-(withheld)")]
)
def test_a_cut_stream(say: Say, action: Action, handed_over: str) -> None:
    """The stream ends at the chunk that completes a violation; the body is closed, and what was seen is counted."""
    with recorded(clause(action)) as record:
        model = Model("It is ", "123-", "45-6789", " and so on")
        assert say(model) == handed_over
        assert model.cleaned_up == 1
    (span,) = record.spans
    attributes = span.attributes or {}
    assert attributes["specspan.stream.released_chars"] == len("It is 123-")
    assert attributes["specspan.decision.action"] == action.value
    assert "error.type" not in attributes


def test_a_stream_cut_by_a_block() -> None:
    """What came before the violation was handed over; in place of what completes it, `Blocked` is raised."""
    with recorded(clause(Action.BLOCK)) as record:
        model = Model("It is ", "123-", "45-6789", " and so on")
        stream = model.stream()
        assert (next(stream), next(stream)) == ("It is ", "123-")
        with pytest.raises(Blocked) as caught:
            next(stream)
        assert next(stream, "the end") == "the end"
    assert model.cleaned_up == 1
    assert caught.value.decision.released_chars == 10
    (span,) = record.spans
    assert (span.attributes or {})["error.type"] == "specspan.blocked"


def test_a_whole_answer_is_decided_before_the_stream_ends() -> None:
    """A check that needs the whole answer is asked at its end; what was released is flagged."""
    asked = []

    def long(call: Any, texts: Any) -> bool:
        asked.append(call.output_text)
        return False

    with recorded(policy(bound("short", Code(long), action=Action.BLOCK))) as record:
        assert say_stream(Model("a", "b")) == "ab"
    assert asked == ["abresult"]
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"]) == ("violated", "flag")


@ALL
@pytest.mark.parametrize("stage", [Stage.INPUT, Stage.OUTPUT])
def test_observe_mode_changes_nothing(say: Say, stage: Stage) -> None:
    """In observe mode the same objects pass, and the record says what would have been done."""
    secret = "123-45-6789"
    with recorded(clause(Action.BLOCK, stage, Mode.OBSERVE)) as record:
        model = Model(secret)
        assert say(model, secret) == secret
    assert model.heard[0] is secret
    (decision,) = record.decisions
    assert (decision["verdict"], decision["action"], decision["would"]) == ("violated", "flag", "block")


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (None, "unassessed"),
        (3, "unassessed"),
        (b"bytes", "unassessed"),
        ("", "unassessed"),
        (["text"], "complied"),
        ({"text": 1}, "complied"),
    ],
)
def test_a_result_that_is_not_a_string_is_handed_through(result: Any, verdict: str) -> None:
    """A result is the same object, and assessed where it holds text."""

    @observe(model="parrot")
    def model(argument: Any) -> Any:
        return argument

    with recorded(clause(Action.BLOCK)) as record:
        assert model(result) is result
    (decision,) = record.decisions
    assert decision["verdict"] == verdict


@pytest.mark.parametrize("text", ["\ud800 lone", "x" * 10_000_000, "é" * 100], ids=["surrogate", "long", "wide"])
def test_hostile_texts(text: str) -> None:
    """Whatever the text, the result is the same object."""

    @observe(model="parrot")
    def model(argument: str) -> str:
        return argument

    with recorded(clause(Action.BLOCK)):
        assert model(text) is text


@ALL
def test_errors_are_the_same_objects(spans: Spans, say: Say) -> None:
    """An exception of the body is the same object."""
    error = LookupError()

    class Failing(Model):
        @property
        def words(self) -> tuple[str, ...]:
            raise error

        @words.setter
        def words(self, _: Any) -> None: ...

    with pytest.raises(LookupError) as caught:
        say(Failing(), "hi")
    assert caught.value is error
    assert spans.ending("chat parrot") == "LookupError"


@ALL
def test_suppressed_calls_are_left_alone(spans: Spans, say: Say) -> None:
    """Where instrumentation is suppressed, a model function is a function."""
    token = otel_context.attach(otel_context.set_value("suppress_instrumentation", True))
    assert say(Model("a"), "hi") == "a"
    otel_context.detach(token)
    assert spans.all == ()


@ALL
def test_an_interrupt_while_it_is_decided(say: Say) -> None:
    """An interrupt during a check passes on, the body does not run, and the span is ended."""

    def interrupted(call: Any, texts: Any) -> bool:
        raise KeyboardInterrupt

    with recorded(policy(bound("any", Code(interrupted, Stage.INPUT)))) as record:
        model = Model("a")
        with pytest.raises(KeyboardInterrupt):
            say(model, "hi")
    assert model.heard == []
    (span,) = record.spans
    assert (span.attributes or {})["error.type"] == "KeyboardInterrupt"


def test_what_the_application_said_reaches_the_checks() -> None:
    """Context and scope are on the call that checks see; overrides are ruled on."""
    seen = []

    def look(call: Any, texts: Any) -> bool:
        seen.append(call.context)
        return True

    rules = policy(bound("looked_at", Code(look)), bound("brief", says(answer=False, name="brief"), authority="user"))
    with recorded(rules) as record, context(user="u-7", scope=ScopeOfAutonomy(("search",)), under_18=True):
        with override("brief", by="developer", reason="long form"):
            Model("a").plain("hi")
    assert (seen[0].user, seen[0].scope, seen[0].attributes) == (
        "u-7",
        ScopeOfAutonomy(("search",)),
        {"under_18": True},
    )
    (decision,) = record.decisions
    assert decision["verdict"] == Verdict.COMPLIED
    assert [(each["clause"], each["granted"]) for each in decision["overrides"]] == [("brief", True)]


@pytest.mark.parametrize("misuse", [{"name": "work"}, {"attributes": {"a": 1}}])
def test_a_model_call_has_no_name_of_its_own(misuse: Any) -> None:
    """The conventions name it."""
    with pytest.raises(TypeError, match="named by its operation and model"):
        observe(model="parrot", **misuse)


def test_severity_and_outcome_reach_the_caller() -> None:
    """`Blocked` carries every finding."""
    rules = policy(bound("privacy", pattern(SECRET), action=Action.ESCALATE, severity=Severity.CRITICAL))
    with recorded(rules), pytest.raises(Blocked) as caught:
        Model("123-45-6789").plain()
    (finding,) = caught.value.decision.findings
    assert (finding.outcome, finding.severity) == (Outcome.VIOLATED, Severity.CRITICAL)


@dataclass
class Question:
    """An argument of the application's own kind."""

    text: str
    about: list[str]


@pytest.mark.parametrize(
    "asked",
    [
        [{"role": "user", "content": "mine is 123-45-6789"}],
        Question("hello", ["123-45-6789"]),
        ("hello", {"n": 1, "note": "123-45-6789"}),
    ],
    ids=["messages", "dataclass", "tuple"],
)
@ALL
def test_texts_in_any_argument_are_the_input(say: Say, asked: Any) -> None:
    """They are blocked before the body runs, and rewritten in a copy."""
    with recorded(clause(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        say(Model("hello"), asked)
    with recorded(clause(Action.REDACT, Stage.INPUT)):
        model = Model("hello")
        say(model, "hi", asked)
    assert "[redacted:ssn]" in repr(model.heard)
    assert "123-45-6789" not in repr(model.heard)
    assert type(model.heard[1]) is type(asked)
    assert "123-45-6789" in repr(asked)


@ALL
def test_an_argument_that_cannot_be_read_is_not_called_complied(say: Say) -> None:
    """A check of the input says that something was not understood; an iterator is not consumed."""
    pieces = iter(["mine is ", "123-45-6789"])
    with recorded(clause(Action.BLOCK, Stage.INPUT)) as record:
        say(Model("hello"), "hi", pieces)
        say(Model("hello"), "hi", 3, None, b=2.5)
    assert [each["verdict"] for each in record.decisions] == ["unassessed", "complied"]
    assert record.decisions[0]["findings"][0]["reason"] == "content_not_understood"
    assert list(pieces) == ["mine is ", "123-45-6789"]


def test_what_a_method_is_bound_to_is_no_argument() -> None:
    """Of methods and class methods the object and the class are no input; of static methods every argument is."""

    class Speaker:
        @observe(model="m")
        def of_instance(self, prompt: str) -> str:
            return prompt

        @classmethod
        @observe(model="m")
        def of_class(cls, prompt: str) -> str:
            return prompt

        @staticmethod
        @observe(model="m")
        def of_neither(first: object, prompt: str) -> str:
            return prompt

    class Loud(Speaker):
        def of_instance(self, prompt: str) -> str:
            return super().of_instance(prompt)

    with recorded(clause(Action.BLOCK, Stage.INPUT)) as record:
        Speaker().of_instance("hi")
        Loud().of_instance("hi")
        Speaker.of_class("hi")
        Loud.of_class("hi")
        Speaker.of_neither(Speaker(), "hi")
    assert [each["verdict"] for each in record.decisions] == [*["complied"] * 4, "unassessed"]
