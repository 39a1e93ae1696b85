"""Kind ``repetition``: an answer goes round in circles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.detectors.detector_check import MAX_EVIDENCE, NEEDED_SIDES, TextConfig
from specspan.checks.detectors.repeated_passages import repeated_passages
from specspan.checks.detectors.text_check import TextCheck
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome
from specspan.documents.json_schema import hoist_definitions

KIND = "repetition"


class RepetitionConfig(TextConfig):
    """Configuration under ``repetition`` in a policy file."""

    times: int = Field(default=4, ge=2)
    """How often a passage of up to 64 words has to come one after the other, or a line anywhere in a text."""
    min_words: int = Field(default=24, ge=2)
    """Words that the passages in a row have in all, for them to count."""


SCHEMA = hoist_definitions(
    {
        **RepetitionConfig.model_json_schema(),
        "description": "an answer goes round in circles",
        "examples": [{"times": 4}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``repetition`` in a policy file."""
    config = RepetitionConfig.model_validate(configuration if configuration is not None else {})
    traits = CheckTraits(
        config.stage,
        reads_roles=config.read_roles(),
        needs=NEEDED_SIDES[config.stage],
        finds_in_part=PartialFindings.VIOLATIONS,
        accepts_timeout=False,
    )

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        found = [
            (text, each) for text in texts for each in repeated_passages(text.text, config.times, config.min_words)
        ]
        if not found:
            return True
        places = dict.fromkeys(place for text, each in found for place in text.evidence(each.start, each.end))
        return Finding(Outcome.VIOLATED, found[0][1].label, found[0][1].times, evidence=tuple(places)[:MAX_EVIDENCE])

    return TextCheck(CheckRef(config.name or KIND, CheckMechanism.CODE, config.version), traits, decide)
