"""Traffic that an engine decides and a recorder writes down, by a seed, for replays of it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.trace import SpanContext, TraceFlags

from specspan.call import CallContext, Message, ModelCall, Part, Request, Response, Text, ToolCall
from specspan.decision import Override
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import Policy
from specspan.record.attributes import at_end, at_start
from specspan.record.call_end import CallRecord, EndKind, Timing
from specspan.record.content import content_attributes
from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.scope.scope import ScopeOfAutonomy

START_NS = 1_790_000_000_000_000_000
_SENTENCE = "the order left our warehouse on monday and should be with you by the end of this week"
_WORDS = tuple(_SENTENCE.split())
_TIMING = Timing(0.1)
_SCOPE = ScopeOfAutonomy(allowed_tools=("search",))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call as it was decided, and as a store has it."""

    call: ModelCall
    overrides: tuple[Override, ...]
    record: Mapping[str, Any]
    """Decision record, as exporters take it."""
    attributes: Mapping[str, Any]
    """Attributes of its span."""


@dataclass(slots=True)
class Traffic:
    """Generator of calls that a policy in observe mode decides."""

    policy: Policy
    phrases: Mapping[str, float]
    """What is said now and then, with the share of the texts that it stands in."""
    chars: int = 400
    seed: int = 7
    overridden: str | None = None
    """Clause of which an override is declared on some calls."""
    policy_record: Mapping[str, Any] = field(init=False)
    _builder: RecordBuilder = field(init=False)

    def __post_init__(self) -> None:
        self._builder = RecordBuilder(Service("desk"), digest_key=b"k" * 32)
        activation = PolicyActivation(self.policy, START_NS)
        self._builder.add_policy(activation)
        self.policy_record = self._builder.build(activation)

    def calls(self, count: int) -> Iterator[Recorded]:
        """Yield calls, a second apart."""
        chance, now = random.Random(self.seed), [0, ""]
        engine = Engine(self.policy, now_ns=lambda: now[0], new_id=lambda: now[1])  # type: ignore[arg-type, return-value]
        for number in range(count):
            when = START_NS + number * 10**9
            now[:] = [when, f"{when // 10**6:012x}"[:8] + f"-{number:04x}"[-5:] + f"-7000-8000-{number:012x}"]
            call, overrides = self._call(chance)
            evaluation = engine.open(overrides, call)
            run_sync(evaluation.input(call))
            released = sum(
                len(message.parts[0].content) for message in call.output if isinstance(message.parts[0], Text)
            )
            run_sync(evaluation.output(call, released_chars=released if call.request.streaming else None))
            decision = evaluation.decide()
            span = SpanContext(chance.getrandbits(128) | 1, number + 1, is_remote=False, trace_flags=TraceFlags(1))
            record = self._builder.build(CallRecord(span, call, decision, EndKind.COMPLETED, None, _TIMING))
            attributes = at_start(call.request, call.context) | content_attributes(call)
            attributes |= at_end(call.response, decision, EndKind.COMPLETED, None, _TIMING)
            yield Recorded(call, overrides, record, attributes)

    def _call(self, chance: random.Random) -> tuple[ModelCall, tuple[Override, ...]]:
        parts: list[Part] = [Text(self._text(chance))]
        if chance.random() < 0.1:
            parts.append(ToolCall(chance.choice(("search", "refund")), {"amount": chance.randrange(100)}, "t-1"))
        request = Request(
            "openai",
            model="gpt-5",
            input=(Message("user", (Text(self._text(chance)),)),),
            streaming=chance.random() < 0.3,
        )
        facts = {"under_18": chance.random() < 0.5} if chance.random() < 0.2 else {}
        context = CallContext(attributes=facts, scope=_SCOPE if chance.random() < 0.2 else None)
        overrides: tuple[Override, ...] = ()
        if self.overridden is not None and chance.random() < 0.05:
            overrides = (Override(self.overridden, "user", "asked for"),)
        return ModelCall(request, Response("r-1", output=(Message("assistant", tuple(parts)),)), context), overrides

    def _text(self, chance: random.Random) -> str:
        words = chance.choices(_WORDS, k=max(1, self.chars // 5))
        for phrase, share in self.phrases.items():
            if chance.random() < share:
                words[chance.randrange(len(words))] = phrase
        return " ".join(words)
