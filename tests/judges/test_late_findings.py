"""Findings of judges that come after the decision: pending first, then on record, and counted once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import openai
import pytest
from judged import NUMBER, RULES, judge_check, short_waits, write_policy

import specspan
from specspan.sqlite import Filter, Reader
from specspan.testing import JudgeFault, ScriptedJudge, ScriptedModel

ANSWERS = {"number": f"It is {NUMBER}.", "hello": "Hello."}


@pytest.fixture(autouse=True)
def configured_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    with short_waits():
        yield
    specspan.uninstrument()
    specspan.shutdown()


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel(ANSWERS) as scripted:
        yield scripted


def ask(model: ScriptedModel, *questions: str) -> None:
    with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
        for question in questions:
            client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])


def run(model: ScriptedModel, checks: Mapping[str, list[str]], *questions: str, mode: str = "observe") -> None:
    specspan.configure(write_policy(Path(), checks, mode), db="specspan.db")
    specspan.instrument("openai")
    ask(model, *questions)
    assert specspan.force_flush(10)


def recorded() -> list[dict[str, Any]]:
    with Reader("specspan.db") as reader:
        return [dict(each) for each in reversed(reader.decisions(Filter(limit=-1)))]


def outcomes(decision: Mapping[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {each["clause"]: (each["outcome"], each["reason"]) for each in decision["findings"]}


def test_a_late_violation_amends_the_decision(model: ScriptedModel) -> None:
    """The decision has the verdict with the judge's finding and the one before; counts have it once."""
    with ScriptedJudge(RULES) as judge:
        run(model, {"protect_privacy": [judge_check(judge)]}, "number", "hello")
        specspan.shutdown()
    violated, complied = recorded()
    finding = violated["findings"][0]
    assert (finding["outcome"], finding["score"], finding["sampled"], finding["applies"]) == (
        "violated",
        0.95,
        1.0,
        True,
    )
    assert finding["evidence"] == [{"pointer": "/output/0/parts/0", "start": 6, "end": 17}]
    assert (violated["verdict"], violated["governing_clause"], violated["action"]) == (
        "violated",
        "protect_privacy",
        "flag",
    )
    assert violated["amended"]["before"]["verdict"] == "unassessed"
    assert complied["verdict"] == "complied"
    with Reader("specspan.db") as reader:
        (clause,) = reader.statistics("clause")
        (total,) = reader.statistics()
    assert (dict(clause.verdicts), clause.violations) == ({"violated": 1, "complied": 1}, 1)
    assert (dict(total.verdicts), total.violations) == ({"violated": 1, "complied": 1}, 1)


def test_span_and_own_call_are_in_the_trace(model: ScriptedModel) -> None:
    """The late finding is a child of the call's span, and so is the judge's own call, linked and not decided."""
    with ScriptedJudge(RULES) as judge:
        checks = {name: [judge_check(judge, group="all")] for name in RULES}
        run(model, checks, "number")
        assert len(judge.requests) == 1
        specspan.shutdown()
    with Reader("specspan.db") as reader:
        (trace,) = reader.traces()
        spans = reader.spans(trace.trace_id)
        assert len(reader.decisions()) == 1
    by_name = {span.name: span for span in spans}
    call, late, own = by_name["chat gpt-5"], by_name["specspan.late_finding"], by_name["judge gpt-5-mini"]
    assert len(spans) == 4
    assert late.parent_span_id == own.parent_span_id == call.span_id
    assert own.attributes["gen_ai.operation.name"] == "judge"
    assert own.attributes["specspan.judge.clauses"] == ["protect_privacy", "be_kind"]
    assert own.links[0]["span_id"] == call.span_id
    amended = [span for span in spans if "specspan.decision.amended.to" in span.attributes]
    assert [span.attributes["specspan.decision.amended.to"] for span in amended] == ["violated"]


def test_nothing_of_a_judge_lowers_a_pattern(model: ScriptedModel) -> None:
    """A deterministic violation stands, whatever the judge says."""
    with ScriptedJudge({}) as judge:
        checks = {"protect_privacy": [r"pattern: '\d{3}-\d{2}-\d{4}'", judge_check(judge)]}
        run(model, checks, "number")
    (decision,) = recorded()
    assert [each["outcome"] for each in decision["findings"]] == ["violated", "complied"]
    assert decision["verdict"] == "violated"
    assert "amended" not in decision


def test_a_call_waits_where_the_policy_says_so(model: ScriptedModel) -> None:
    """A finding in time is part of the decision, and can block the call."""
    with ScriptedJudge(RULES) as judge:
        with pytest.raises(specspan.Blocked):
            run(model, {"protect_privacy": [judge_check(judge, wait="30s")]}, "number", mode="enforce")
        specspan.shutdown()
    (decision,) = recorded()
    assert (decision["verdict"], decision["action"]) == ("violated", "block")
    assert "late_unix_nano" not in decision["findings"][0]


def test_a_wait_that_is_too_short_leaves_the_finding_to_come(model: ScriptedModel) -> None:
    """The call goes on after its wait, and the finding comes late."""
    with ScriptedJudge(RULES, faults=[JudgeFault.SLOW], slow_s=0.5) as judge:
        run(model, {"protect_privacy": [judge_check(judge, wait="10ms")]}, "number", mode="enforce")
    (decision,) = recorded()
    assert (decision["verdict"], decision["action"]) == ("violated", "flag")
    assert decision["amended"]["before"]["verdict"] == "unassessed"


def test_a_judge_is_asked_where_something_calls_for_it(model: ScriptedModel) -> None:
    """A trigger names checks or facts; a call that meets none is unassessed, and says why."""
    with ScriptedJudge(RULES) as judge:
        checks = {
            "be_kind": [r"pattern: {any: ['Hello'], reason: greeting}"],
            "protect_privacy": [judge_check(judge, when="{checks: [greeting]}")],
        }
        run(model, checks, "hello", "number")
        assert len(judge.requests) == 1
    greeted, other = recorded()
    assert outcomes(greeted)["protect_privacy"] == ("complied", None)
    assert outcomes(other)["protect_privacy"] == ("unassessed", "not_triggered")


def test_every_call_has_its_reason(model: ScriptedModel) -> None:
    """Attempted = judged + unassessed by reason, with sampling and a budget at work."""
    with ScriptedJudge(RULES) as judge:
        checks = {"protect_privacy": [judge_check(judge, sample="50%", budget="{calls_per_day: 5}")]}
        questions = [f"hello {number}" for number in range(40)]
        run(model, checks, *questions)
        asked = len(judge.requests)
    found = [outcomes(each)["protect_privacy"] for each in recorded()]
    reasons = {reason: found.count(("unassessed", reason)) for reason in ("not_sampled", "over_budget")}
    assert asked == 5
    assert found.count(("complied", None)) + sum(reasons.values()) == 40
    assert all(reasons.values())


def test_two_judges_of_one_clause_are_asked_apart(model: ScriptedModel) -> None:
    """Each has its own answer, by its own threshold; one request that asks about a clause twice has none."""
    with ScriptedJudge(lambda _, __: 0.4) as judge:
        checks = [judge_check(judge, group="all", threshold=threshold) for threshold in ("0.3", "0.45")]
        run(model, {"protect_privacy": checks}, "number")
        assert len(judge.requests) == 2
    (decision,) = recorded()
    assert [each["outcome"] for each in decision["findings"]] == ["violated", "complied"]
    assert decision["verdict"] == "violated"


def test_the_same_call_is_judged_once(model: ScriptedModel) -> None:
    """An answer that is known is part of the decision at once."""
    with ScriptedJudge(RULES) as judge:
        run(model, {"protect_privacy": [judge_check(judge)]}, "number")
        ask(model, "number")
        specspan.force_flush(10)
        assert len(judge.requests) == 1
    assert [each["verdict"] for each in recorded()] == ["violated", "violated"]


def test_a_dead_judge_is_an_error_then_unavailable(model: ScriptedModel) -> None:
    """The decision stays, no clause complies, and the key is in no record."""
    with ScriptedJudge(RULES, always=JudgeFault.REFUSED) as judge:
        specspan.configure(write_policy(Path(), {"protect_privacy": [judge_check(judge)]}), db="specspan.db")
        specspan.instrument("openai")
        for number in range(8):
            ask(model, f"hello {number}")
            assert specspan.force_flush(10)
        specspan.shutdown()
    found = [outcomes(each)["protect_privacy"] for each in recorded()]
    assert found == [("error", "http_401")] * 5 + [("unassessed", "judge_unavailable")] * 3
    text = b"".join(path.read_bytes() for path in Path().glob("specspan.db*"))
    assert b"sk-very-secret" not in text


def test_what_is_not_judged_at_the_end_says_so(model: ScriptedModel) -> None:
    """A shutdown waits for a while; then the finding is unassessed, not pending for ever."""
    with ScriptedJudge(RULES, always=JudgeFault.SLOW, slow_s=30) as judge:
        specspan.configure(write_policy(Path(), {"protect_privacy": [judge_check(judge)]}), db="specspan.db")
        specspan.instrument("openai")
        ask(model, "number")
        specspan.shutdown()
    (decision,) = recorded()
    assert outcomes(decision)["protect_privacy"] == ("unassessed", "shutdown")
