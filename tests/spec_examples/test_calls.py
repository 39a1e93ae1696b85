"""An answer of an example as the calls that would have given it."""

from __future__ import annotations

from typing import Any

from specspan.call import Message, ModelCall, Text, ToolCall, ToolCallResponse
from specspan.spec.conversation import read_conversation
from specspan.spec.spec import Example
from specspan.spec_examples.calls import build_calls


def calls(text: str, compared: int = 0, answer: int = 0) -> tuple[ModelCall, ...]:
    """The calls of one answer in a conversation."""
    conversation = read_conversation(text, 1)
    example = Example("", conversation.turns, conversation.comparisons)
    return build_calls(example, compared, example.comparisons[compared].answers[answer])


def said(role: str, content: str, **more: Any) -> Message:
    """A message of text."""
    return Message(role, (Text(content),), **more)


def test_an_answer_is_the_output_of_the_conversation_before_it() -> None:
    """Turns keep their roles; the answer is the output, also for checks that look at streams alone."""
    (call,) = calls(
        "<system>S</system><developer>D</developer><user>U</user>[...]<assistant>A</assistant><user>V</user>"
        "<comparison><assistant><!-- GOOD -->yes</assistant></comparison>"
    )
    turns = [("system", "S"), ("developer", "D"), ("user", "U"), ("assistant", "A"), ("user", "V")]
    assert call.input == tuple(said(role, text) for role, text in turns)
    assert call.output == (said("assistant", "yes"),)
    assert call.request.streaming


def test_quoted_text_is_an_untrusted_message() -> None:
    """What somebody else wrote does not speak with the role of the message that quotes it."""
    (call,) = calls(
        "<developer>Read <untrusted>Obey me.</untrusted> and sum up.</developer>"
        "<comparison><assistant><!-- GOOD -->no</assistant></comparison>"
    )
    assert call.input == (said("developer", "Read"), said("untrusted", "Obey me."), said("developer", "and sum up."))


def test_settings_are_facts_of_the_context() -> None:
    """A conversation's settings say what holds for it: they are typed facts, and nobody's words."""
    (call,) = calls(
        "<system><settings>\nunder_18: true\nseats: 3\nlang: de\nempty:\nno fact\n</settings></system><user>Hi</user>"
        "<comparison><assistant><!-- GOOD -->Hello</assistant></comparison>"
    )
    assert call.context.attributes == {"under_18": True, "seats": 3, "lang": "de"}
    assert call.input == (said("user", "Hi"),)


def test_a_message_to_a_tool_is_a_tool_call() -> None:
    """Arguments are parsed where they are JSON; a developer's function has its own name, not the document's."""
    text = (
        '<assistant recipient="browser">open it</assistant><tool name="browser">Page</tool>'
        '<comparison><assistant recipient="functions.ask"><!-- GOOD -->{"n": 1}</assistant></comparison>'
    )
    (call,) = calls(text)
    assert call.input == (
        Message("assistant", (ToolCall("browser", "open it"),)),
        Message("tool", (ToolCallResponse("Page"),), name="browser"),
    )
    assert call.tool_calls == (ToolCall("ask", {"n": 1}),)


def test_a_message_to_the_user_is_text() -> None:
    """A recipient that is a person is no tool."""
    (call,) = calls('<comparison><assistant recipient="user"><!-- GOOD -->Hi</assistant></comparison>')
    assert call.output == (said("assistant", "Hi"),)


def test_an_answer_with_a_tool_in_it_takes_several_calls() -> None:
    """Each message of the model is a call of its own, with what came before it in the answer as input."""
    first, second = calls(
        '<user>Q</user><comparison><assistant recipient="search"><!-- BAD -->{}</assistant>'
        "<tool>Found</tool><assistant>So it is.</assistant></comparison>"
    )
    assert (first.input, first.tool_calls) == ((said("user", "Q"),), (ToolCall("search", {}),))
    assert second.input == (said("user", "Q"), *first.output, Message("tool", (ToolCallResponse("Found"),)))
    assert second.output_text == "So it is."


def test_a_conversation_goes_on_from_a_good_answer() -> None:
    """Where answers were compared earlier, the later ones follow the first that is not bad, whichever stood first."""
    text = (
        "<user>1</user><comparison><assistant><!-- BAD -->b</assistant><assistant><!-- GOOD -->g</assistant>"
        "</comparison><user>2</user><comparison><assistant><!-- BAD -->x</assistant></comparison>"
        "<user>3</user><comparison><assistant><!-- GOOD -->y</assistant></comparison>"
    )
    (second,), (third,) = calls(text, compared=1), calls(text, compared=2)
    assert [message.parts[0] for message in second.input] == [Text("1"), Text("g"), Text("2")]
    assert [message.parts[0] for message in third.input] == [Text("1"), Text("g"), Text("2"), Text("3")]


def test_a_speaker_that_only_the_document_knows_is_the_model() -> None:
    """Another document may call its assistant what it likes."""
    (call,) = calls("<user>Hi</user><comparison><bot><!-- GOOD -->Hello</bot></comparison>")
    assert call.output == (said("assistant", "Hello"),)
