"""Kind ``conversation``: the turns before this one are read as well, by patterns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall, Side
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.conversations.tool_rules import NOT_KNOWN
from specspan.checks.conversations.turns import EarlierTurns, earlier_turns, texts_of
from specspan.checks.patterns import Pattern
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "conversation"

_SIMILAR = 0.8
"""Share of common words from which on two requests count as the same."""
_MAX_WORDS = 400
"""Words of a request that are compared."""


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class PressureConfig(_Entry):
    """Pressure by repetition: the user asks for the same again and again."""

    any: list[str] = []
    """Patterns of a message that presses; without any, messages that say nearly the same as the newest."""
    turns: int = Field(default=3, ge=2, le=96)
    """Number of the user's messages, the newest among them, from which on the clause is violated."""


class PromiseConfig(_Entry):
    """Promise of an earlier answer, and what breaks it."""

    made: str
    """Pattern in an earlier answer."""
    broken_by: str
    """Pattern in this answer."""


class DriftConfig(_Entry):
    """Drift: answers that leave what they are to be about."""

    any: list[str] = Field(min_length=1)
    """Patterns of which each answer should match one."""
    turns: int = Field(default=3, ge=2, le=96)
    """Number of answers in a row, this one among them, that match none."""


class ConversationConfig(_Entry):
    """Configuration under ``conversation``: one of the first four keys."""

    pressure: PressureConfig | None = None
    promises: list[PromiseConfig] | None = Field(default=None, min_length=1)
    consistent: list[str] | None = Field(default=None, min_length=1)
    """Patterns of statements that stay the same: what matches in this answer must have matched in the latest answer
    before it in which the pattern matches."""
    drift: DriftConfig | None = None
    ignore_case: bool = True
    name: str | None = None
    version: str = "1"


SCHEMA = hoist_definitions(
    {
        **ConversationConfig.model_json_schema(),
        "description": "earlier turns: repeated pressure, broken promises, contradictions, drift",
        "examples": [
            {"pressure": {"any": [r"just (do|say) it", r"come on"], "turns": 3}},
            {"promises": [{"made": r"will not share your address", "broken_by": r"\d+ \w+ (street|road)"}]},
            {"consistent": [r"arrives on \w+day"]},
            {"drift": {"any": ["order", "parcel", "refund"], "turns": 3}},
        ],
    }
)

Rule = Callable[[ModelCall, EarlierTurns, Sequence[TextAt]], CheckResult]


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``conversation`` in a policy file."""
    config = ConversationConfig.model_validate(configuration)
    given = [key for key in ("pressure", "promises", "consistent", "drift") if getattr(config, key) is not None]
    if len(given) != 1:
        raise CheckConfigError(
            "a conversation check looks for one thing", "Give one of pressure, promises, consistent and drift."
        )
    stage = Stage.INPUT if config.pressure is not None else Stage.OUTPUT
    sides = (Side.INPUT,) if stage is Stage.INPUT else (Side.INPUT, Side.OUTPUT)
    return ConversationCheck(
        CheckRef(config.name or given[0], CheckMechanism.PATTERN, config.version),
        CheckTraits(stage, needs=frozenset(sides), accepts_timeout=False),
        _rule(config),
        needs_all=config.promises is not None or config.consistent is not None,
    )


@dataclass(frozen=True, slots=True)
class ConversationCheck:
    """Check of a call together with the turns before it, as far as its request sends them."""

    ref: CheckRef
    traits: CheckTraits
    rule: Rule
    needs_all: bool
    """True where a turn that is not looked at could hold what this one breaks."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Apply the rule; a conversation that the request does not send is uncertain."""
        if call.gaps.reason_for(self.traits.needed_sides) is not None:
            return None
        turns = earlier_turns(call)
        if call.request.conversation is not None and not texts_of(turns.messages, "assistant"):
            return Finding(Outcome.UNCERTAIN, NOT_KNOWN)
        result = self.rule(call, turns, texts)
        return (
            Finding(Outcome.UNCERTAIN, "history_cut") if result is True and self.needs_all and turns.is_cut else result
        )


def _rule(config: ConversationConfig) -> Rule:
    def compiled(sources: Iterable[str], key: str) -> list[Pattern]:
        return [_pattern(source, f"{key}.{i}", config) for i, source in enumerate(sources)]

    if config.pressure is not None:
        return _Pressure(compiled(config.pressure.any, "pressure.any"), config.pressure.turns)
    if config.drift is not None:
        return _Drift(compiled(config.drift.any, "drift.any"), config.drift.turns)
    if config.promises is not None:
        made = compiled((promise.made for promise in config.promises), "promises")
        broken = compiled((promise.broken_by for promise in config.promises), "promises")
        return _Promises(list(zip(made, broken, strict=True)))
    return _Consistent(compiled(config.consistent or (), "consistent"))


def _pattern(source: str, key: str, config: ConversationConfig) -> Pattern:
    try:
        return Pattern(source, ignore_case=config.ignore_case)
    except CheckConfigError as error:
        raise CheckConfigError(error.message, error.remedy, key) from None


@dataclass(frozen=True, slots=True)
class _Pressure:
    patterns: Sequence[Pattern]
    turns: int

    def __call__(self, call: ModelCall, turns: EarlierTurns, texts: Sequence[TextAt]) -> CheckResult:
        asked = texts_of(turns.messages, "user")
        if len(asked) < self.turns:
            return True if asked else None
        if (
            not self._presses(asked[-1], asked[-1])
            or sum(self._presses(each, asked[-1]) for each in asked) < self.turns
        ):
            return True
        newest = max((i for i, message in enumerate(call.input) if message.role == "user"), default=0)
        of_newest = [text for text in texts if text.pointer.startswith(f"/input/{newest}/")]
        places = _places(of_newest, self.patterns) if self.patterns else _whole(of_newest)
        return Finding(Outcome.VIOLATED, "repeated_pressure", evidence=places)

    def _presses(self, text: str, newest: str) -> bool:
        if self.patterns:
            return any(pattern.matches(text) for pattern in self.patterns)
        return _are_similar(text, newest)


@dataclass(frozen=True, slots=True)
class _Promises:
    promises: Sequence[tuple[Pattern, Pattern]]

    def __call__(self, call: ModelCall, turns: EarlierTurns, texts: Sequence[TextAt]) -> CheckResult:
        earlier = texts_of(turns.messages, "assistant")
        held = [broken for made, broken in self.promises if any(map(made.matches, earlier))]
        if not held:
            return True
        places = _places(texts, held)
        return Finding(Outcome.VIOLATED, "promise_broken", evidence=places) if places else True


@dataclass(frozen=True, slots=True)
class _Consistent:
    patterns: Sequence[Pattern]

    def __call__(self, call: ModelCall, turns: EarlierTurns, texts: Sequence[TextAt]) -> CheckResult:
        earlier = texts_of(turns.messages, "assistant")[::-1]
        changed: list[Evidence] = []
        for pattern in self.patterns:
            before = next(filter(None, (_statements(text, pattern) for text in earlier)), None)
            if before is not None:
                changed += (
                    place
                    for text in texts
                    for start, end in pattern.find(text)
                    if _folded(text.text[start:end]) not in before
                    for place in text.evidence(start, end)
                )
        return Finding(Outcome.VIOLATED, "contradiction", evidence=tuple(changed)) if changed else True


@dataclass(frozen=True, slots=True)
class _Drift:
    patterns: Sequence[Pattern]
    turns: int

    def __call__(self, call: ModelCall, turns: EarlierTurns, texts: Sequence[TextAt]) -> CheckResult:
        answers = [*texts_of(turns.messages, "assistant"), *texts_of(call.output, "assistant")][-self.turns :]
        if len(answers) < self.turns or not texts:
            return None
        is_lost = not any(pattern.matches(answer) for answer in answers for pattern in self.patterns)
        return Finding(Outcome.VIOLATED, "drifted", evidence=_whole(texts)) if is_lost else True


def _statements(text: str, pattern: Pattern) -> frozenset[str]:
    return frozenset(_folded(text[start:end]) for start, end in pattern.find(text))


def _places(texts: Iterable[TextAt], patterns: Iterable[Pattern]) -> tuple[Evidence, ...]:
    patterns = tuple(patterns)
    return tuple(
        place
        for text in texts
        for pattern in patterns
        for start, end in pattern.find(text)
        for place in text.evidence(start, end)
    )


def _whole(texts: Iterable[TextAt]) -> tuple[Evidence, ...]:
    return tuple(place for text in texts for place in text.evidence(0, len(text.text)))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _are_similar(text: str, other: str) -> bool:
    words, others = ({*_folded(each[: 20 * _MAX_WORDS]).split()[:_MAX_WORDS]} for each in (text, other))
    return bool(words) and len(words & others) >= _SIMILAR * len(words | others)
