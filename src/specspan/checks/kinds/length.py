"""Kind ``length``: how long an answer may and must be, in characters, words, sentences or tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from pydantic import Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, PartialFindings, TextAt
from specspan.checks.detectors.detector_check import NEEDED_SIDES, TextConfig
from specspan.checks.detectors.text_check import TextCheck, by_message
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "length"

Limit: TypeAlias = "int | None"
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3"  # between words is no blank
)
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['’-][^\W_{_UNSPACED}]+|[.,]\d+)*")
_SENTENCE_END = re.compile(r"[.!?…؟।]+[\"'”’»)\]]*(?=\s|\Z)|[。！？]+[」』”）]*")


class LengthConfig(TextConfig):
    """Configuration under ``length`` in a policy file; a single number is ``max_chars``."""

    max_chars: int | None = Field(default=None, ge=0)
    min_chars: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=0)
    min_words: int | None = Field(default=None, ge=1)
    max_sentences: int | None = Field(default=None, ge=0)
    min_sentences: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=0)
    """Tokens as the provider counts them; an answer of which it tells no count is uncertain."""
    min_tokens: int | None = Field(default=None, ge=1)


SCHEMA = hoist_definitions(
    {
        "description": "how long an answer may and must be, in characters, words, sentences or tokens",
        "anyOf": [{"type": "integer", "minimum": 0}, LengthConfig.model_json_schema()],
        "examples": [{"max_words": 300}, {"min_sentences": 1, "max_sentences": 5}],
    }
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Least and most of one unit."""

    unit: str
    least: Limit
    most: Limit


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``length`` in a policy file."""
    is_number = isinstance(configuration, int) and not isinstance(configuration, bool)
    config = LengthConfig.model_validate({"max_chars": configuration} if is_number else configuration or {})
    bounds = tuple(_bounds(config))
    if not bounds:
        raise CheckConfigError("a length check without a limit", "Give max_chars, max_words or another of its limits.")
    if config.stage is not Stage.OUTPUT and any(each.unit == "tokens" for each in bounds):
        raise CheckConfigError("tokens are counted of whole answers alone", "Use the stage `output`.", "stage")
    traits = CheckTraits(
        config.stage,
        reads_roles=config.read_roles(),
        needs=NEEDED_SIDES[config.stage],
        finds_in_part=PartialFindings.VIOLATIONS if not any(each.least for each in bounds) else PartialFindings.NONE,
        accepts_timeout=False,
    )
    ref = CheckRef(config.name or KIND, CheckMechanism.CODE, config.version)
    return TextCheck(ref, traits, lambda call, texts: _decide(bounds, call, texts))


def _bounds(config: LengthConfig) -> Iterator[Bounds]:
    for unit in ("chars", "words", "sentences", "tokens"):
        least, most = getattr(config, f"min_{unit}"), getattr(config, f"max_{unit}")
        if least is not None and most is not None and least > most:
            raise CheckConfigError(f"min_{unit} {least} is over max_{unit} {most}", "Exchange them.", f"min_{unit}")
        if least is not None or most is not None:
            yield Bounds(unit, least, most)


def _decide(bounds: Sequence[Bounds], call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
    result: CheckResult = True
    for each in bounds:
        for parts in by_message(texts):
            found = _tokens(each, call) if each.unit == "tokens" else _count(each, parts)
            if isinstance(found, Finding):
                if found.outcome is Outcome.VIOLATED:
                    return found
                result = found
    return result


def _tokens(bounds: Bounds, call: ModelCall) -> CheckResult:
    count = None if call.response is None else call.response.usage.output_tokens
    if count is None:
        return Finding(Outcome.UNCERTAIN, "tokens_not_counted")
    return _compare(bounds, count, ())


def _count(bounds: Bounds, parts: Sequence[TextAt]) -> CheckResult:
    ends = _ENDS[bounds.unit]
    count, excess = 0, list[Evidence]()
    for part in parts:
        before, count = count, count + _COUNTS[bounds.unit](part.text)
        if bounds.most is not None and count > bounds.most:
            kept = max(bounds.most - before, 0)
            start = next(islice(ends(part.text), kept - 1, None)) if kept else 0
            excess += part.evidence(start, len(part.text))
    return _compare(bounds, count, tuple(excess))


def _compare(bounds: Bounds, count: int, excess: tuple[Evidence, ...]) -> CheckResult:
    if bounds.most is not None and count > bounds.most:
        explanation = f"{count} {bounds.unit}, at most {bounds.most}"
        return Finding(Outcome.VIOLATED, "too_long", count, explanation, excess)
    if bounds.least is not None and count < bounds.least:
        return Finding(Outcome.VIOLATED, "too_short", count, f"{count} {bounds.unit}, at least {bounds.least}")
    return True


def _char_ends(text: str) -> Iterator[int]:
    return iter(range(1, len(text) + 1))


def _word_ends(text: str) -> Iterator[int]:
    return (found.end() for found in _WORD.finditer(text))


def _sentence_ends(text: str) -> Iterator[int]:
    """Yield where each sentence ends; words behind the last sign are one more."""
    end = 0
    for found in _SENTENCE_END.finditer(text):
        if _WORD.search(text, end, found.start()):
            end = found.end()
            yield end
    if _WORD.search(text, end):
        yield len(text)


def _word_count(text: str) -> int:
    return len(_WORD.findall(text))


def _sentence_count(text: str) -> int:
    return sum(1 for _ in _sentence_ends(text))


_COUNTS: Mapping[str, Callable[[str], int]] = {"chars": len, "words": _word_count, "sentences": _sentence_count}
_ENDS: Mapping[str, Callable[[str], Iterator[int]]] = {
    "chars": _char_ends,
    "words": _word_ends,
    "sentences": _sentence_ends,
}
