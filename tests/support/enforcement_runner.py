"""Runs one row of the enforcement table with the real client, and judges what came out and what the record says."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from _pytest.outcomes import Failed
from enforcement_http import Service
from enforcement_output import Output
from enforcement_policies import CLAUSE, MARKER, REPLACEMENT, policy
from enforcement_table import Row, Way, wire_of

import specspan
from specspan.testing import Recorded, recorded

_BASELINES: dict[tuple[str, int, str, str], Output] = {}


class Leak(Failed):
    """A row that does not hold: text that came out, or a record that is not true."""

    def __init__(self, problems: str) -> None:
        super().__init__(problems, pytrace=False)


@dataclass
class Outcome:
    """Everything that one call gave to the application, with its record."""

    output: Output
    decisions: tuple[Mapping[str, Any], ...] = ()
    attributes: Mapping[str, Any] | None = None
    """The attributes of the call's span; None where there is not exactly one span."""

    @property
    def decision(self) -> Mapping[str, Any]:
        """Return the one decision, or the empty mapping where there is not exactly one."""
        return self.decisions[0] if len(self.decisions) == 1 else {}

    def __str__(self) -> str:
        shown = {place: text for place, text in self.output.places.items() if "efor" in text or "FORB" in text}
        findings = [(each["outcome"], each["reason"], each["stage"]) for each in self.decision.get("findings", ())]
        record = {name: self.decision.get(name) for name in ("verdict", "action", "reason", "redacted", "stream")}
        return (
            f"came out: {len(self.output.chunks)} objects, {shown or 'none of the texts'}, "
            f"error {_shown(self.output.error)}; record: {record}, findings {findings}, {len(self.decisions)} decisions"
        )


def hold(row: Row) -> None:
    """Raise `Leak` where a row does not hold."""
    baseline = baseline_of(row.way, row.mode)
    outcome = enforce(row)
    problems = list(dict.fromkeys(_problems(row, baseline, outcome)))
    if problems:
        raise Leak("; ".join(problems) + " | " + str(outcome))


def baseline_of(way: Way, mode: str) -> Output:
    """Return what the client alone gives, once for all actions."""
    key = (way.wire, way.part, way.id, mode)
    if key not in _BASELINES:
        output = ask(way, mode).output
        _check_the_way(way, output)
        _BASELINES[key] = output
    return _BASELINES[key]


def enforce(row: Row) -> Outcome:
    """Return the outcome of a row under its policy."""
    try:
        with recorded(policy(row.action, row.way.clause, row.way.pattern)) as record:
            return ask(row.way, row.mode, record)
    except specspan.PolicyError as error:
        refused = str(error).partition("\n")[0].rpartition("/")[2]
        raise Leak(f"the policy is refused: {refused}") from error


def ask(way: Way, mode: str, record: Recorded | None = None) -> Outcome:
    """Return the outcome of one call of the real client."""
    wire = wire_of(way.wire)
    service = Service(wire.encode(way.sends), way.is_stream, headers=dict(way.headers))
    output = call(wire.modes[mode], service, way.request)
    if record is None:
        return Outcome(output)
    spans = record.spans
    attributes = dict(spans[0].attributes or {}) if len(spans) == 1 else None
    return Outcome(output, decisions_of(record), attributes)


def decisions_of(record: Recorded) -> tuple[Mapping[str, Any], ...]:
    """Return the decisions so far; on a busy machine the thread that records them may need a second wait."""
    return record.decisions or record.decisions


def call(mode: Any, service: Service, request: Mapping[str, Any]) -> Output:
    """Return everything that one call handed to the application, with the error that ended it."""
    output = Output()
    try:
        if inspect.iscoroutinefunction(mode):
            asyncio.run(mode(service, output, request))
        else:
            mode(service, output, request)
    except Exception as error:
        output.error = error
    return output


def _shown(error: BaseException | None) -> str:
    return "none" if error is None else "Blocked" if isinstance(error, specspan.Blocked) else f"{error!r:.200}"


def _check_the_way(way: Way, output: Output) -> None:
    """Assert that the way leaks where nothing watches: otherwise its rows could not fail."""
    kind = type(output.error).__name__ if output.error is not None else None
    assert kind == way.raises, f"the client alone raises {output.error!r}"
    if way.forbidden is not None:
        assert output.has(way.forbidden, is_spread=way.is_spread or way.is_tool), (
            f"nothing to hold back: {output.places}"
        )


def _problems(row: Row, baseline: Output, outcome: Outcome) -> Iterator[str]:
    if len(outcome.decisions) != 1:
        yield f"{len(outcome.decisions)} decisions"
        return
    yield from _untrue_facts(row.way, outcome)
    if row.way.forbidden is None:
        yield from _changes(row, baseline, outcome)
        return
    if row.way.is_tool and row.way.is_stream:
        yield from _completed_calls(row, baseline, outcome)
    else:
        yield from _text_out(row, outcome)
    yield from _false_records(row, outcome)
    if not row.action.startswith("open"):
        yield from _released(row, outcome)
    elif outcome.decision["action"] != "block":
        yield from _lost(baseline, outcome.output)


def _untrue_facts(way: Way, outcome: Outcome) -> Iterator[str]:
    for name, value in way.facts.items():
        found = (outcome.attributes or {}).get(name)
        is_true = found is not None if value is ... else found == value and type(found) is type(value)
        if not is_true:
            yield f"{name} is {found!r}, not {'there' if value is ... else repr(value)}"


def _changes(row: Row, baseline: Output, outcome: Outcome) -> Iterator[str]:
    """Yield how an answer in which nothing is forbidden was changed, or not truly recorded."""
    yield from _lost(baseline, outcome.output)
    if outcome.decision["verdict"] not in row.way.verdicts:
        yield f"verdict {outcome.decision['verdict']}, not {' or '.join(row.way.verdicts)}"
    if outcome.decision["action"] not in ("allow", "flag"):
        yield f"action {outcome.decision['action']} for an answer that is allowed"


def _lost(baseline: Output, output: Output) -> Iterator[str]:
    if type(output.error) is not type(baseline.error):
        yield f"the application got {_shown(output.error)}, not {_shown(baseline.error)}"
    elif output.chunks != baseline.chunks:
        yield "what came out differs from what the client alone gives"


def _text_out(row: Row, outcome: Outcome) -> Iterator[str]:
    """Yield where the forbidden text came out, against the policy or against the record."""
    action = outcome.decision["action"]
    if not outcome.output.has(str(row.way.forbidden), is_spread=row.way.is_spread):
        return
    if not row.action.startswith("open"):
        yield "the forbidden text came out"
    if action not in ("allow", "flag"):
        yield f"recorded as {action}, and the text came out"


def _completed_calls(row: Row, baseline: Output, outcome: Outcome) -> Iterator[str]:
    """Yield where a streamed tool call was completed, against the policy or against the record."""
    action = outcome.decision["action"]
    if len(outcome.output.chunks) < len(baseline.chunks):
        return
    if not row.action.startswith("open"):
        yield "the end of a forbidden tool call came out"
    if action not in ("allow", "flag"):
        yield f"recorded as {action}, and the end of the tool call came out"


def _false_records(row: Row, outcome: Outcome) -> Iterator[str]:
    """Yield each contradiction between the record and what came out."""
    decision, output = outcome.decision, outcome.output
    action, verdict = decision["action"], decision["verdict"]
    is_blocked = isinstance(output.error, specspan.Blocked)
    if verdict not in row.way.verdicts:
        yield f"verdict {verdict}, not {' or '.join(row.way.verdicts)}"
    if is_blocked != (action in ("block", "escalate")) and not row.way.is_door:
        yield f"recorded as {action}, and the application got {type(output.error).__name__}"
    if action == "redact" and not output.has(MARKER):
        yield "recorded as redact, and no marker came out"
    if action == "replace" and not output.has(REPLACEMENT):
        yield "recorded as replace, and no replacement came out"
    findings = [each for each in decision["findings"] if each["clause"] == CLAUSE]
    if not any(each["outcome"] in row.way.verdicts for each in findings):
        yield f"outcomes of the clause: {[each['outcome'] for each in findings]}"
    if any(each["outcome"] in ("unassessed", "error") and not each["reason"] for each in findings):
        yield "an outcome without a reason"
    if verdict == "violated" and decision["reason"] != row.way.reason:
        yield f"reason {decision['reason']}"


def _released(row: Row, outcome: Outcome) -> Iterator[str]:
    """Yield what came out and must not, and what did not come out and must."""
    way, output = row.way, outcome.output
    if way.is_door:
        return
    is_blocked = isinstance(output.error, specspan.Blocked)
    must_stop = row.action == "block" or way.is_edited is False
    if must_stop and not is_blocked:
        yield "the call was not stopped"
    if not must_stop and is_blocked and way.verdicts == ("violated",) and way.is_edited:
        yield "the call was stopped, not edited"
    is_shown = way.is_stream if is_blocked else row.action == "redact" or way.is_stream
    if way.before and is_shown and not output.has(way.before):
        yield "allowed text in front of it was lost"
    if way.after and way.is_stream and output.has(way.after):
        yield "text behind the cut came out"
