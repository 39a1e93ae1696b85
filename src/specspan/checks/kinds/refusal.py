"""Kind ``refusal``: an answer declines what was asked, or has to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from specspan.call import ModelCall, Refusal
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.detectors.detector import ALL
from specspan.checks.detectors.detector_check import NEEDED_SIDES, TextConfig
from specspan.checks.detectors.refusal_phrases import PHRASES, VERSION
from specspan.checks.detectors.text_check import TextCheck, by_message
from specspan.checks.patterns import MultiPattern, Pattern
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "refusal"

READ_CHARS = 400
"""Characters at the start of an answer in which it declines, if it does."""
_FINISH_REASONS = frozenset(("refusal", "content_filter", "SAFETY", "PROHIBITED_CONTENT", "guardrail_intervened"))


class RefusalConfig(TextConfig):
    """Configuration under ``refusal`` in a policy file."""

    require: bool = False
    """Whether an answer violates that does not decline; by default one that does."""


SCHEMA = hoist_definitions(
    {
        **RefusalConfig.model_json_schema(),
        "description": "an answer declines what was asked",
        "examples": [{}, {"require": True}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``refusal`` in a policy file."""
    config = RefusalConfig.model_validate(configuration if configuration is not None else {})
    if config.stage is not Stage.OUTPUT:
        raise CheckConfigError("only an answer declines", "Use the stage `output`.", "stage")
    traits = CheckTraits(
        config.stage, reads_roles=config.read_roles(), needs=NEEDED_SIDES[config.stage], accepts_timeout=False
    )
    patterns, together = tuple(map(Pattern, PHRASES)), MultiPattern(PHRASES)

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        if not any(text.text.strip() for text in texts):
            return None
        reason, evidence = _refusal_in(call, texts, together, patterns)
        if config.require:
            return True if reason else Finding(Outcome.VIOLATED, "not_refused")
        return Finding(Outcome.VIOLATED, reason, evidence=evidence) if reason else True

    version = f"{config.version}+{VERSION}"
    return TextCheck(CheckRef(config.name or KIND, CheckMechanism.PATTERN, version), traits, decide)


def _refusal_in(
    call: ModelCall, texts: Sequence[TextAt], together: MultiPattern, patterns: Sequence[Pattern]
) -> tuple[str | None, tuple[Evidence, ...]]:
    """Return how an answer declines, and where; None if it does not."""
    if any(isinstance(part, Refusal) for message in call.output for part in message.parts):
        return "refused", ()
    if any(message.finish_reason in _FINISH_REASONS for message in call.output):
        return "stopped", ()
    for parts in by_message(texts):
        start = TextAt(parts[0].pointer, parts[0].role, parts[0].text[:READ_CHARS])
        for index in together.hits(start):
            for first, last in patterns[index].find(start, ALL):
                return "declined", parts[0].evidence(first, last)
    return None, ()
