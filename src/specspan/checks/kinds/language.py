"""Kind ``language``: an answer is in the language of the user, or in one of a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pydantic import Field

from specspan.call import Message, ModelCall, Text
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.detectors.detector_check import NEEDED_SIDES, TextConfig
from specspan.checks.detectors.requirements import require
from specspan.checks.detectors.text_check import TextCheck, by_message
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "language"

READ_CHARS = 600
"""Characters of a text that are read: more tell no more."""
_TIMEOUT_S = 2.0
_NO_PROSE = re.compile(
    r"```.{0,20000}?(?:```|\Z)|`[^`\n]{1,200}`|\b[a-z]+://\S+|\S+@\S+|[\d#*_|>=<{}\[\]()/\\]+", re.DOTALL
)
_LETTERS = re.compile(r"[^\W\d_]")


class LanguageConfig(TextConfig):
    """Configuration under ``language`` in a policy file; a list is ``allow``."""

    allow: list[str] | None = Field(default=None, min_length=1)
    """Languages by their codes (ISO 639-1), such as ``de``; by default the one of the user's latest message."""
    confidence: float = Field(default=0.7, gt=0, le=1)
    """Confidence under which the finding is uncertain."""
    min_chars: int = Field(default=24, ge=1)
    """Letters under which a text says nothing of its language."""


SCHEMA = hoist_definitions(
    {
        "description": "an answer is in the user's language, or in one of a list",
        "anyOf": [{"type": "array", "items": {"type": "string"}}, LanguageConfig.model_json_schema()],
        "examples": [{"confidence": 0.8}, {"allow": ["en", "de"]}],
    }
)


@dataclass(frozen=True, slots=True)
class Guess:
    """Language of a text, and how likely it is."""

    code: str
    confidence: float


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``language`` in a policy file."""
    config = LanguageConfig.model_validate(
        {"allow": configuration} if isinstance(configuration, list) else configuration or {}
    )
    lingua = require("lingua", "lingua-language-detector", "`language`", "language")
    known = {language.iso_code_639_1.name.lower() for language in lingua.Language.all()}
    for index, code in enumerate(config.allow or ()):
        if code not in known:
            raise CheckConfigError(
                f"unknown language {code!r}", f"Known are {', '.join(sorted(known))}.", f"allow.{index}"
            )
    if config.allow is None and config.stage is not Stage.OUTPUT:
        raise CheckConfigError(
            "without `allow`, an answer is compared with the user", "Use the stage `output`.", "stage"
        )
    _detector()
    traits = CheckTraits(
        config.stage, reads_roles=config.read_roles(), needs=NEEDED_SIDES[config.stage], timeout_s=_TIMEOUT_S
    )
    ref = CheckRef(config.name or KIND, CheckMechanism.CLASSIFIER, config.version)
    return TextCheck(ref, traits, lambda call, texts: _decide(config, call, texts))


def _decide(config: LanguageConfig, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
    wanted, result = config.allow, None
    if wanted is None:
        asked = guess_language(_latest_of_user(call.input), config.min_chars)
        if asked is None:
            return None
        if asked.confidence < config.confidence:
            return Finding(Outcome.UNCERTAIN, "users_language_uncertain", asked.confidence)
        wanted = [asked.code]
    for parts in by_message(texts):
        guess = guess_language(" ".join(part.text for part in parts), config.min_chars)
        if guess is None:
            continue
        if guess.code in wanted:
            result = True
        elif guess.confidence < config.confidence:
            return Finding(Outcome.UNCERTAIN, "language_uncertain", guess.confidence)
        else:
            explanation = f"{guess.code}, not {' or '.join(wanted)}"
            return Finding(Outcome.VIOLATED, "other_language", guess.confidence, explanation)
    return result


def guess_language(text: str, min_chars: int) -> Guess | None:
    """Return the language of the prose in a text; None where there is too little of it."""
    prose = _NO_PROSE.sub(" ", text[: 4 * READ_CHARS])[:READ_CHARS]
    if len(_LETTERS.findall(prose)) < min_chars and not _is_dense(prose):
        return None
    best = _detector().compute_language_confidence_values(prose)[0]
    return Guess(best.language.iso_code_639_1.name.lower(), best.value)


def _is_dense(prose: str) -> bool:
    """Return whether a text is in a script that says more with each character, and says enough."""
    return len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]", prose)) >= _DENSE_CHARS


_DENSE_CHARS = 6


@lru_cache(1)
def _detector() -> Any:
    """Return the detector, with its models loaded: by three letters, not five, which would take a gigabyte."""
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()
    detector.compute_language_confidence_values("Hello, how are you?")
    return detector


def _latest_of_user(messages: Sequence[Message]) -> str:
    for message in reversed(messages):
        if message.role == "user":
            return " ".join(part.content for part in message.parts if isinstance(part, Text))
    return ""
