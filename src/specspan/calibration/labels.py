"""Labels: answers of which a person said whether they violate a clause, read from a file of JSON Lines."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from specspan._support.files import read_text_file
from specspan._support.messages import Problems
from specspan.call import Message, ModelCall, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.decision import Outcome
from specspan.documents.json import read_json_lines
from specspan.documents.node import Limits
from specspan.documents.validation import validate
from specspan.errors import ConfigurationError, Problem

MAX_BYTES = 256 << 20
_LIMITS = Limits(max_weight=1_000_000_000)
_PROVIDER = "label"
"""Provider of these calls, for checks that look at it."""
_MODEL = "assistant"


@dataclass(frozen=True, slots=True)
class LabelledCall:
    """Call with a person's ruling on one clause."""

    clause: str
    call: ModelCall
    outcome: Outcome
    """`Outcome.VIOLATED`, `Outcome.COMPLIED` or `Outcome.NOT_APPLICABLE`."""
    place: str
    """Place where the label stands, such as ``labels.jsonl:3``."""
    example: object = None
    """Example of a spec that the answer stands in; None for an answer from elsewhere."""

    @property
    def is_violation(self) -> bool:
        """Return whether the clause was violated; a call that it has no bearing on does not violate it."""
        return self.outcome is Outcome.VIOLATED


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one source."""

    source: str
    digest: str
    """``sha256:`` and the hex digest of the bytes that they were read from."""
    calls: Sequence[LabelledCall]


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class LabelToolCall(_Entry):
    """Tool call of a model."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class LabelMessage(_Entry):
    """Message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str = ""
    tool_calls: list[LabelToolCall] = Field(default_factory=list)


class LabelLine(_Entry):
    """Line of a file of labels."""

    clause: str
    """Id of the clause, as the policy names it."""
    label: Literal["violated", "complied", "not_applicable"]
    text: str | None = None
    """Answer alone, in place of a conversation."""
    messages: list[LabelMessage] | None = None
    """Conversation; its last messages of the role ``assistant`` are the answer that is labelled."""

    @model_validator(mode="after")
    def _has_an_answer(self) -> LabelLine:
        if (self.text is None) == (self.messages is None):
            raise _error("the line needs one of 'text' and 'messages'", "Write the answer, or the conversation.")
        if self.messages is not None and (not self.messages or self.messages[-1].role != _MODEL):
            raise _error("the last message is not the model's", "End 'messages' with one of the role 'assistant'.")
        return self


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Return the labels that a file holds.

    Raises:
        ConfigurationError: the file cannot be read, or holds no label; every problem is named with its line.
    """
    file = read_text_file(path, what="file of labels", max_bytes=MAX_BYTES, error=ConfigurationError)
    problems = Problems(file.source, ConfigurationError)
    calls = tuple(_read_lines(file.source, file.text, problems))
    problems.raise_if_any()
    if not calls:
        remedy = 'Write one label a line: {"clause": …, "label": "violated", "text": …}.'
        raise problems.error(Problem("the file has no label", remedy))
    return Labels(file.source, file.digest, calls)


def _read_lines(source: str, text: str, problems: Problems) -> Iterator[LabelledCall]:
    for node in read_json_lines(source, text, error=ConfigurationError, limits=_LIMITS):
        if not isinstance(node.value, dict):
            remedy = 'Write one label a line: {"clause": …, "label": …, "text": …}.'
            problems.add(Problem("this line is not a JSON object", remedy, node.line))
            continue
        line = validate(LabelLine, node, problems)
        if line is not None:
            yield LabelledCall(line.clause, _build_call(line), Outcome(line.label), f"{source}:{node.line}")


def _build_call(line: LabelLine) -> ModelCall:
    if line.messages is None:
        answer = (Message(_MODEL, (Text(line.text or ""),)),)
        return ModelCall(Request(_PROVIDER), Response(output=answer))
    count = sum(1 for _ in takewhile(lambda each: each.role == _MODEL, reversed(line.messages)))
    built = tuple(map(_build_message, line.messages))
    return ModelCall(Request(_PROVIDER, input=built[:-count]), Response(output=built[-count:]))


def _build_message(entry: LabelMessage) -> Message:
    parts: tuple[Part, ...] = (Text(entry.content),) if entry.content else ()
    if entry.role == "tool":
        parts = (ToolCallResponse(entry.content),)
    return Message(entry.role, (*parts, *(ToolCall(each.name, each.arguments) for each in entry.tool_calls)))


def _error(message: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("labels", "{message}", {"message": message, "remedy": remedy})
