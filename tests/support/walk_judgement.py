"""Judgement on the runs of one mutant: what the application saw and what the record says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from walk_bodies import MUTANT, Mutant
from walk_places import is_metadata, is_of_settings, is_of_tool_call, is_reasoning
from walk_runs import Run

from specspan.instrument.formats.fields import as_finish_reason

FINISH = "gen_ai.response.finish_reasons"
MODEL = "gen_ai.response.model"
TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")


@dataclass(frozen=True)
class Problem:
    """One thing that must not be."""

    kind: str
    """``raised``, ``changed`` or ``false``."""
    text: str


@dataclass(frozen=True)
class Runs:
    """The runs of one mutant, and the record of the whole body."""

    alone: Run
    observed: Run
    absent: Run
    """Enforced, with a word forbidden that is not there."""
    present: Run
    """Enforced, with a word forbidden that is in the whole body."""
    strict: Run
    """Enforced, with that word and the text of the mutants forbidden, and content that cannot be read as well."""
    whole: Mapping[str, Any]
    """The attributes of the span of the whole body."""
    is_answer: bool
    """Whether the service answers with texts: an error is none of a model's, and embeddings are numbers."""
    words: tuple[str, ...]
    """The words that are forbidden in ``strict``; the first one in ``present``."""


class Body:
    """Values that a mutant is made of, with what a record may say of them, each read when it is first needed."""

    def __init__(self, values: list[Any], headers: Mapping[str, str]) -> None:
        self.values = values
        self._headers = headers

    @cached_property
    def strings(self) -> frozenset[str]:
        """Return every text in the values."""
        return frozenset(_strings(self.values))

    @cached_property
    def finish_reasons(self) -> frozenset[str | None]:
        """Return every finish reason that the values can mean."""
        completed = {"stop"} if "completed" in self.strings else set()
        return frozenset({as_finish_reason(text) for text in self.strings} | completed)

    @cached_property
    def counts(self) -> frozenset[int]:
        """Return every count that the values can mean."""
        return frozenset(_counts(self.values, self._headers))


def judge(mutant: Mutant, body: Body, runs: Runs) -> Iterator[Problem]:
    """Yield every problem with a mutant."""
    for name in ("observed", "absent"):
        run = getattr(runs, name)
        yield from _differences(name, runs.alone, run)
        yield from _false_facts(name, mutant, body, runs, run)
    yield from _present(mutant, body, runs)
    if runs.is_answer and _has_list(runs.alone) and runs.absent.verdict == "complied":
        yield Problem("false", "absent: complied, and a list was handed over in place of an object")
    if runs.is_answer:
        yield from _strict(mutant, body, runs)


def _has_list(run: Run) -> bool:
    """Return whether a list was handed over, which may have been anything, such as a tool call."""
    return any(each.startswith("list ") for each in run.handed.values)


def _differences(name: str, alone: Run, run: Run) -> Iterator[Problem]:
    if run.handed.error_shown != alone.handed.error_shown:
        why = f" (specspan failed in {', '.join(run.failures)})" if run.failures else ""
        yield Problem("raised", f"{name}: {run.handed.error!r:.300}, not {alone.handed.error!r:.200}{why}")
    elif run.handed.values != alone.handed.values:
        yield Problem("changed", f"{name}: what was handed over differs {_first_difference(alone, run)}")


def _first_difference(alone: Run, run: Run) -> str:
    for mine, its in zip(run.handed.values, alone.handed.values, strict=False):
        if mine != its:
            return f"({mine[:200]!r}, not {its[:200]!r})"
    return f"({len(run.handed.values)} values, not {len(alone.handed.values)})"


def _present(mutant: Mutant, body: Body, runs: Runs) -> Iterator[Problem]:
    """Yield problems where the word is forbidden, and what cannot be read passes."""
    alone, run = runs.alone.handed, runs.present
    is_there = alone.has(runs.words[0])
    if run.is_blocked:
        if not is_there:
            yield Problem("raised", f"present: Blocked, and the word is not handed over (failed in {run.failures})")
        yield from _cut("present", runs.alone, run)
        return
    yield from _differences("present", runs.alone, run)
    yield from _false_facts("present", mutant, body, runs, run)
    if is_there and run.verdict == "complied":
        yield Problem("false", f"present: complied, and {runs.words[0]!r} was handed over")


def _strict(mutant: Mutant, body: Body, runs: Runs) -> Iterator[Problem]:
    """Yield problems where nothing may pass that is forbidden or cannot be read.

    Reasoning is read where a check asks for it, and none does here. Of a tool call in a stream the pieces pass, and the
    end of the answer is withheld.
    """
    run = runs.strict
    if run.is_blocked:
        yield from _cut("strict", runs.alone, run)
        if run.verdict == "complied":
            yield Problem("false", "strict: Blocked, and recorded as complied")
    else:
        yield from _differences("strict", runs.alone, run)
    is_stopped_call = run.is_blocked and run.verdict == "violated" and is_of_tool_call(body.values)
    for word in runs.words:
        is_listed = is_metadata(mutant.path) or is_of_settings(mutant.path, mutant.value)
        is_unread = word == MUTANT and (is_listed or is_reasoning(body.values) or is_stopped_call)
        if run.handed.has(word) and not is_unread:
            yield Problem("false", f"strict: {word!r} was handed over, and the verdict is {run.verdict}")


def _cut(name: str, alone: Run, run: Run) -> Iterator[Problem]:
    if run.handed.values != alone.handed.values[: len(run.handed.values)]:
        yield Problem("changed", f"{name}: what came out before the cut differs {_first_difference(alone, run)}")
    if run.facts.get("specspan.decision.action") != "block":
        yield Problem("false", f"{name}: Blocked, and recorded as {run.facts.get('specspan.decision.action')}")


def _false_facts(name: str, mutant: Mutant, body: Body, runs: Runs, run: Run) -> Iterator[Problem]:
    if len(run.spans) != 1:
        yield Problem("false", f"{name}: {len(run.spans)} spans")
        return
    facts = run.facts
    error = run.handed.error
    if (facts.get("error.type") is None) != (error is None):
        yield Problem("false", f"{name}: error.type {facts.get('error.type')}, and the application got {error!r:.100}")
    model = facts.get(MODEL)
    if model is not None and model not in body.strings:
        yield Problem("false", f"{name}: model {model!r} is not in the body")
    for key in TOKENS:
        count = facts.get(key)
        if count is not None and count not in body.counts:
            yield Problem("false", f"{name}: {key} {count!r} is not in the body")
    reasons = facts.get(FINISH, ())
    whole = runs.whole.get(FINISH, ())
    for reason in reasons:
        if reason not in whole and reason not in body.finish_reasons:
            yield Problem("false", f"{name}: finish reason {reason!r} is not in the body")
    if _lost_its_reason(mutant, body.values) and whole and reasons == whole:
        yield Problem("false", f"{name}: finish reason {reasons!r}, and the body has {mutant.value!r}")


_REASONS = ("finish_reason", "stop_reason", "stopReason", "finishReason", "done_reason", "completionReason")


def _lost_its_reason(mutant: Mutant, body: Any) -> bool:
    """Return whether the only finish reason of a body was replaced by what is none."""
    is_replaced = mutant.path[-1:] and mutant.path[-1] in _REASONS and not isinstance(mutant.value, str)
    return bool(is_replaced) and not any(
        isinstance(value, str) and value for key, value in _fields(body) if key in _REASONS
    )


def _fields(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield key, each
            yield from _fields(each)
    elif isinstance(value, list):
        for each in value:
            yield from _fields(each)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)


def _counts(body: Any, headers: Mapping[str, str]) -> set[int]:
    """Return every count that a body can mean: each number, and sums of those that stand side by side."""
    found = {int(value) for name, value in headers.items() if "token-count" in name and value.isdigit()}
    for group in _numbers(body):
        for mask in range(1, 1 << min(len(group), 8)):
            found.add(sum(number for n, number in enumerate(group[:8]) if mask >> n & 1))
    return found


def _numbers(value: Any) -> Iterator[list[int]]:
    if isinstance(value, Mapping):
        side = [int(each) for each in value.values() if type(each) in (int, float) and each == int(each)]
        if side:
            yield side
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
