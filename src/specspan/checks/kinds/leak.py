"""Kind ``leak``: long passages of instructions, or of confidential results of tools, in an answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import Field

from specspan.call import ModelCall, Side, Text, ToolCall, ToolCallResponse
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.detectors.detector_check import MAX_EVIDENCE, TextConfig
from specspan.checks.detectors.overlap import letters_of, overlaps, secret_of
from specspan.checks.detectors.text_check import TextCheck
from specspan.checks.texts import as_text
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "leak"

_INSTRUCTORS = ("system", "developer")


class LeakConfig(TextConfig):
    """Configuration under ``leak`` in a policy file."""

    of: list[Literal["instructions", "tools"]] = Field(default=["instructions"], min_length=1)
    """What must not get out: the instructions of the application, and the results of tools that are confidential."""
    tools: list[str] | None = Field(default=None, min_length=1)
    """Tools whose results are confidential; by default those whose result has one of the ``marks``."""
    marks: list[str] = Field(default=["CONFIDENTIAL"], min_length=1)
    """Words in a result that make it confidential."""
    min_chars: int = Field(default=60, ge=16)
    """Letters and digits in a row that are a leak."""


SCHEMA = hoist_definitions(
    {
        **LeakConfig.model_json_schema(),
        "description": "passages of instructions or of confidential results of tools",
        "examples": [{"of": ["instructions"]}, {"of": ["tools"], "tools": ["read_contract"], "min_chars": 80}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``leak`` in a policy file."""
    config = LeakConfig.model_validate(configuration if configuration is not None else {})
    if config.stage is Stage.INPUT:
        raise CheckConfigError("what is sent cannot leak to the model", "Use `output` or `tool_call`.", "stage")
    traits = CheckTraits(
        config.stage,
        reads_roles=config.read_roles(),
        needs=frozenset((Side.INPUT, Side.ARGUMENTS if config.stage is Stage.TOOL_CALL else Side.OUTPUT)),
        finds_in_part=PartialFindings.VIOLATIONS,
        accepts_timeout=False,
    )
    ref = CheckRef(config.name or KIND, CheckMechanism.CODE, config.version)
    return TextCheck(ref, traits, lambda call, texts: _decide(config, call, texts))


def _decide(config: LeakConfig, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
    secrets = [secret_of(text, config.min_chars) for text in dict.fromkeys(_confidential(config, call))]
    if not secrets:
        return None
    known = cache(lambda: letters_of(" ".join(_words_of_user(call))))
    ways, evidence, most = Counter[str](), dict[Evidence, None](), 0
    for text in texts:
        for secret in secrets:
            for each in overlaps(text.text, secret, config.min_chars):
                if letters_of(text.text[each.start : each.end]) not in known():
                    ways[each.way] += 1
                    most = max(most, each.chars)
                    evidence.update(dict.fromkeys(text.evidence(each.start, each.end)))
    if not evidence:
        return True
    return Finding(Outcome.VIOLATED, f"{next(iter(ways))}", most, f"{most} characters", tuple(evidence)[:MAX_EVIDENCE])


def _confidential(config: LeakConfig, call: ModelCall) -> Iterator[str]:
    """Yield the texts of a call that must not get out."""
    if "instructions" in config.of:
        yield from (part.content for part in call.request.system_instructions if isinstance(part, Text))
        for message in call.input:
            if message.role in _INSTRUCTORS:
                yield from (part.content for part in message.parts if isinstance(part, Text))
    if "tools" in config.of:
        yield from _results(config, call)


def _results(config: LeakConfig, call: ModelCall) -> Iterator[str]:
    parts = [part for message in call.input for part in message.parts]
    names = {part.id: part.name for part in parts if isinstance(part, ToolCall)}
    for part in parts:
        if isinstance(part, ToolCallResponse):
            result = as_text(part.response)
            if names.get(part.id) in config.tools if config.tools else any(mark in result for mark in config.marks):
                yield result


def _words_of_user(call: ModelCall) -> Iterator[str]:
    """Yield what the user wrote, which may be repeated."""
    for message in call.input:
        if message.role == "user":
            yield from (part.content for part in message.parts if isinstance(part, Text))
