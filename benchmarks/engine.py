"""Cost of deciding against a span written by hand: the engine alone, without recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.measure import HAND_WRITTEN, Row, hand_written_span, provider_to_nowhere, rows_of
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks.check import Check, CheckTraits, TextAt
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, CheckMechanism, CheckRef, Mode, Severity, Stage
from specspan.engine.engine import Engine, uuid7
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import run_sync
from specspan.policy.policy import CheckBinding, ClausePolicy, OnError, Policy
from specspan.spec.spec import Clause, Spec

_PLAIN = ("The order left our warehouse on Monday and should be with you by the end of the week. " * 24)[:2000]
_DENSE = (" ".join(f"word{number}a word{number}b" for number in range(60)) * 4)[:2000]
_FOREIGN = ("Die Bestellung verließ unser Lager am Montag – sie müsste bald da sein, größtenteils. " * 24)[:2000]


@dataclass(frozen=True)
class _Trivial:
    """Check that is a trivial function on the caller's thread."""

    ref: CheckRef
    traits: CheckTraits = field(default=CheckTraits(Stage.OUTPUT))
    limit: int = field(default=1_000_000)

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return len(texts) < self.limit


def main() -> list[Row]:
    """Measure 100 clauses: 60 with a pattern, 30 with a trivial function, 10 without a check; and streams."""
    provider = provider_to_nowhere()
    works: dict[str, Callable[[], object]] = {
        HAND_WRITTEN: hand_written_span(provider),
        **_decisions(),
        **_streams(),
        "a decision's id": uuid7,
    }
    return rows_of(works, provider, _LIMITS)


def _decisions() -> dict[str, Callable[[], object]]:
    hundred = Engine(build_policy(60, 30, 10))
    huge = Engine(build_policy(60, 30, 10_000))
    violated = Engine(build_policy(0, 0, 0, violated=1000))
    return {
        "the checks of 100 clauses over 2 kB": _checking(hundred, _PLAIN),
        "100 clauses over 2 kB": _deciding(hundred, _PLAIN),
        "100 clauses over 2 kB, full of near misses": _deciding(hundred, _DENSE),
        "100 clauses over 2 kB, not ASCII": _deciding(hundred, _FOREIGN),
        "10,090 clauses, 90 checked, over 2 kB": _deciding(huge, _PLAIN),
        "1,000 clauses, all violated": _deciding(violated, f"{_PLAIN} A bad word."),
    }


def _streams() -> dict[str, Callable[[], object]]:
    return {
        "a chunk, 5 patterns": _feeding(Engine(build_policy(5, 0, 0))),
        "a chunk, 100 patterns": _feeding(Engine(build_policy(100, 0, 0))),
    }


_LIMITS = {
    "the checks of 100 clauses over 2 kB": 15 / 22.6,
    "a chunk, 5 patterns": 2 / 22.6,
    "a decision's id": 2 / 22.6,
}
"""Ratios of the target times to the hand-written span where both were first measured."""


def _checking(engine: Engine, text: str) -> Callable[[], object]:
    call = _call(text)
    return lambda: run_sync(engine.open().output(call))


def _deciding(engine: Engine, text: str) -> Callable[[], object]:
    call = _call(text)

    def decide() -> object:
        evaluation = engine.open()
        run_sync(evaluation.input(call))
        run_sync(evaluation.output(call))
        return evaluation.decide()

    return decide


def _feeding(engine: Engine) -> Callable[[], object]:
    """Return work on one chunk of an answer of about 4 kB, in chunks of five characters."""
    chunks = [_PLAIN[at : at + 5] for at in range(0, 2000, 5)] * 2

    check, left = _open_stream(engine), list(chunks)

    def feed() -> None:
        nonlocal check, left
        if not left:
            check, left = _open_stream(engine), list(chunks)
        check.feed(0, left.pop())

    return feed


def _open_stream(engine: Engine) -> StreamCheck:
    check = engine.open().stream()
    assert check is not None
    return check


def _call(text: str) -> ModelCall:
    request = Request("test", model="model", input=(Message("user", (Text(text),)),))
    return ModelCall(request, Response(output=(Message("assistant", (Text(text),)),)))


def build_policy(patterns: int, functions: int, silent: int, *, violated: int = 0, mode: Mode = Mode.ENFORCE) -> Policy:
    """Return a policy of clauses with a pattern, with a function, and without a check."""
    checks: list[Check | None] = [
        *(_pattern(rf"\bword{number}\b", rf"\bkey-{number}-\d{{4}}\b") for number in range(patterns)),
        *(_Trivial(CheckRef(f"function_{number}", CheckMechanism.CODE)) for number in range(functions)),
        *(_pattern("bad word") for _ in range(violated)),
        *(None for _ in range(silent)),
    ]
    bound = {f"clause_{number}": _bound(f"clause_{number}", check) for number, check in enumerate(checks)}
    clauses = {id_: each.clause for id_, each in bound.items()}
    return Policy((Spec("spec", "1", "sha256:0", ("root", "user"), clauses),), mode, "sha256:1", bound)


def _pattern(*patterns: str) -> Check:
    return build("clause", {"any": list(patterns)})


def _bound(id_: str, check: Check | None) -> ClausePolicy:
    clause = Clause(id_, id_, "", "user")
    return ClausePolicy(clause, Severity.HIGH, Action.REDACT, OnError.OPEN, (CheckBinding(check),) if check else ())
