"""Policies ask for reviews: by cause, by share, at once and once a judge has answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from judged import NUMBER, RULES, SPEC, judge_check, short_waits
from unconfigured import unconfigured

import specspan
from specspan.decision import ReviewCause
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import ReviewTask
from specspan.testing import ScriptedJudge, ScriptedModel

PATTERN = "pattern: {stage: output, any: ['fool']}"


@pytest.fixture(autouse=True)
def nothing_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Nothing is configured before or after, and the current directory is empty."""
    with unconfigured(monkeypatch, tmp_path), short_waits():
        monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
        yield
        specspan.uninstrument()


def policy(review: str, *checks: str, action: str = "flag") -> Path:
    """Write a policy with one clause that is reviewed."""
    Path("desk.md").write_text(SPEC, encoding="utf-8")
    lines = [f"      - {check}" for check in checks or (PATTERN,)]
    head = f"spec: desk.md\nclauses:\n  be_kind:\n    action: {action}\n    review: {review}\n    checks:\n"
    Path("policy.yaml").write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    return Path("policy.yaml")


def answer(*texts: str) -> tuple[ReviewTask, ...]:
    """Have answers decided, and return the tasks that they opened."""

    @specspan.observe(model="parrot-1", provider="local")
    def say(text: str) -> str:
        return text

    for text in texts:
        say(text)
    assert specspan.force_flush(10)
    return tuple(ReviewQueue("specspan.db").list(oldest_first=True).tasks)


@pytest.mark.parametrize(
    ("review", "action", "causes"),
    [
        ("[violated]", "flag", [ReviewCause.VIOLATED]),
        ("[escalated, violated]", "escalate", [ReviewCause.ESCALATED, ReviewCause.VIOLATED]),
        ("[escalated]", "flag", []),
        ("[uncertain, abstained, disagreed]", "flag", []),
        ("100%", "flag", [ReviewCause.SAMPLED]),
    ],
)
def test_a_violation_is_reviewed_by_what_the_policy_says(review: str, action: str, causes: list[ReviewCause]) -> None:
    """Each form of the key asks for its own causes, also where the mode is to observe."""
    specspan.configure(policy(review, action=action), db="specspan.db")
    tasks = answer("You fool.")
    assert [list(task.causes) for task in tasks] == ([causes] if causes else [])


def test_a_share_is_drawn_as_that_of_a_check_is() -> None:
    """Of many calls about the share is reviewed, and the record alone shows which."""
    specspan.configure(policy("20%"), db="specspan.db")
    tasks = answer(*["Hello."] * 300)
    assert 30 <= len(tasks) <= 95
    assert {task.outcome for task in tasks} == {"complied"}


def test_checks_that_disagree_are_reviewed() -> None:
    """One check found a violation and another none."""
    specspan.configure(policy("[disagreed]", PATTERN, "pattern: {stage: output, any: ['idiot']}"), db="specspan.db")
    (task,) = answer("You fool.", "You fool and idiot.", "Hello.")
    assert task.causes == (ReviewCause.DISAGREED,)


def test_details_of_a_rule_reach_the_task() -> None:
    """Number of rulings and time are those of the policy; the clause's text in force is on record."""
    specspan.configure(policy("{when: [violated], rulings: 2, within: 14d}"), db="specspan.db")
    (task,) = answer("You fool.")
    assert task.wanted_rulings == 2
    assert task.expires_unix_nano == task.opened_unix_nano + 14 * 86_400 * 10**9
    shown = ReviewQueue("specspan.db").decision(task)
    assert shown.clause_record["text"] == "Be kind to everybody."
    assert (shown.levels["root"], shown.levels["user"]) == (0, 3)
    assert not task.had_content


def test_a_judge_that_abstains_later_asks_for_a_review_then() -> None:
    """The task is opened with what the judge found, and not while it is still asked."""
    with ScriptedModel({"q": "You fool.", "n": f"It is {NUMBER}."}) as model, ScriptedJudge(RULES) as judge:
        thresholds = judge_check(judge, threshold="{violated: 0.99, complied: 0.01}")
        specspan.configure(policy("{sample: 100%, when: [abstained]}", thresholds), db="specspan.db")
        specspan.instrument("openai")
        with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
            client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "q"}])
        assert specspan.force_flush(10)
        specspan.shutdown()
    (task,) = ReviewQueue("specspan.db").list().tasks
    assert (task.outcome, task.causes) == ("uncertain", (ReviewCause.ABSTAINED, ReviewCause.SAMPLED))


@pytest.mark.parametrize(
    ("review", "message"),
    [
        ("2", "the share 2 is not above 0 and at most 1"),
        ("{rulings: 2}", "neither 'sample' nor 'when'"),
        ("[sampled]", "'sampled' is not a cause"),
        ("[often]", "often"),
        ("{when: [violated], within: soon}", "'soon' is not a time span"),
        ("{when: [violated], rulings: 0}", "rulings"),
    ],
)
def test_a_review_that_says_nothing_is_refused(review: str, message: str) -> None:
    """The policy is refused with the place of the mistake."""
    with pytest.raises(PolicyError, match=message) as caught:
        load_policy(policy(review))
    assert "clauses.be_kind.review" in str(caught.value)


def test_defaults_hold_for_every_clause() -> None:
    """A clause without the key has the defaults' reviews."""
    Path("desk.md").write_text(SPEC, encoding="utf-8")
    text = f"spec: desk.md\ndefaults: {{review: [violated]}}\nclauses:\n  be_kind:\n    checks:\n      - {PATTERN}\n"
    Path("policy.yaml").write_text(text, encoding="utf-8")
    specspan.configure("policy.yaml", db="specspan.db")
    assert len(answer("You fool.")) == 1
