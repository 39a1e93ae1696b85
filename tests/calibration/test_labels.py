"""Files of labels: what is read, and what is refused with its line and a remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from specspan.calibration.labels import read_labels
from specspan.call import Message, Text, ToolCall, ToolCallResponse
from specspan.decision import Outcome
from specspan.errors import ConfigurationError


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes lines, each a value or a text, into a file of labels."""

    def write_lines(*lines: object) -> Path:
        path = tmp_path / "labels.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
        return path

    return write_lines


def test_an_answer_alone_is_a_call_without_a_question(write: Callable[..., Path]) -> None:
    """Its place and the digest of the file are kept."""
    path = write({"clause": "be_kind", "label": "violated", "text": "Get lost."})

    labels = read_labels(path)

    (label,) = labels.calls
    assert (label.clause, label.outcome, label.is_violation) == ("be_kind", Outcome.VIOLATED, True)
    assert label.call.output == (Message("assistant", (Text("Get lost."),)),)
    assert label.call.input == ()
    assert label.place == f"{path}:1"
    assert labels.digest == f"sha256:{sha256(path.read_bytes()).hexdigest()}"


def test_of_a_conversation_the_last_messages_of_the_model_are_labelled(write: Callable[..., Path]) -> None:
    """All before them was sent, earlier answers of the model too."""
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Refund me."},
        {"role": "assistant", "tool_calls": [{"name": "refund", "arguments": {"amount": 5}}]},
        {"role": "tool", "content": "done"},
        {"role": "assistant", "content": "Done."},
    ]
    (label,) = read_labels(write({"clause": "c", "label": "not_applicable", "messages": messages})).calls

    assert [message.role for message in label.call.input] == ["system", "user", "assistant", "tool"]
    assert label.call.input[2].parts == (ToolCall("refund", {"amount": 5}),)
    assert label.call.input[3].parts == (ToolCallResponse("done"),)
    assert label.call.output_text == "Done."
    assert not label.is_violation


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"clause": "c", "label": "violated"}, "needs one of 'text' and 'messages'"),
        ({"clause": "c", "label": "bad", "text": "x"}, "unknown value 'bad'"),
        ({"clause": "c", "lable": "violated", "text": "x"}, "Did you mean 'label'?"),
        ({"clause": "c", "label": "violated", "messages": []}, "the last message is not the model's"),
        (
            {"clause": "c", "label": "violated", "messages": [{"role": "user", "content": "x"}]},
            "the last message is not the model's",
        ),
        ([1], "not a JSON object"),
        ("x", ":2:"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(write: Callable[..., Path], line: object, words: str) -> None:
    """With what is wrong, and a remedy."""
    path = write({"clause": "c", "label": "complied", "text": "x"}, line)
    with pytest.raises(ConfigurationError) as refused:
        read_labels(path)
    assert words in str(refused.value)
    assert f"{path}:2" in str(refused.value)


def test_a_file_without_labels_is_refused(write: Callable[..., Path]) -> None:
    """An empty one says nothing of a judge."""
    with pytest.raises(ConfigurationError, match="the file has no label"):
        read_labels(write(""))
