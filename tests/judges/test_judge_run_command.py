"""`specspan judge run`: recorded calls are judged afterwards, and their decisions amended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from click.testing import CliRunner
from judged import NUMBER, RULES, judge_check, short_waits, write_policy

import specspan
from specspan.cli.main import cli
from specspan.sqlite import Filter, Reader
from specspan.testing import JudgeFault, ScriptedJudge, ScriptedModel

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv(CONTENT, "SPAN_ONLY")
    with short_waits():
        yield
    specspan.uninstrument()
    specspan.shutdown()


def record(judge: ScriptedJudge, *questions: str, **keys: str) -> None:
    specspan.configure(write_policy(Path(), {"protect_privacy": [judge_check(judge, **keys)]}), db="specspan.db")
    specspan.instrument("openai")
    with ScriptedModel({"number": f"It is {NUMBER}.", "hello": "Hello."}) as model:
        with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
            for question in questions:
                client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])
        specspan.shutdown()


def run(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(cli, ["judge", "run", "policy.yaml", "--db", "specspan.db", "--json", *arguments])
    assert result.exit_code == 0, result.output
    told: dict[str, object] = json.loads(result.output)
    return told


def test_calls_that_nobody_chose_are_judged_afterwards() -> None:
    """The finding takes the place of the unassessed one, the verdict is amended, and counts have each call once."""
    with ScriptedJudge(RULES) as judge:
        record(judge, "number", "hello", when="{tags: [never]}")
        assert list(judge.requests) == []
        assert run("--since", "1h", "--clause", "protect_privacy") == {
            "decisions": 2,
            "amended": 2,
            "clauses": {"protect_privacy": {"complied": 1, "violated": 1}},
        }
        assert len(judge.requests) == 2
        assert run()["clauses"] == {}  # the same judge has decided
    with Reader("specspan.db") as reader:
        decisions = reader.decisions(Filter(limit=-1))
        (clause,) = reader.statistics("clause")
        (total,) = reader.statistics()
        violating = reader.decisions(Filter(clause="protect_privacy", outcome="violated"))
    assert sorted(str(each["verdict"]) for each in decisions) == ["complied", "violated"]
    assert dict(clause.verdicts) == {"complied": 1, "violated": 1}
    assert (dict(total.verdicts), total.violations) == ({"complied": 1, "violated": 1}, 1)
    (violated,) = violating
    assert violated["findings"][0]["evidence"] == [{"pointer": "/output/0/parts/0", "start": 6, "end": 17}]
    assert violated["amended"]["before"]["verdict"] == "unassessed"


def test_what_failed_is_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A finding that is an error gives way to one that decides."""
    with ScriptedJudge(RULES, faults=[JudgeFault.REFUSED]) as judge:
        record(judge, "number")
        assert run()["clauses"] == {"protect_privacy": {"violated": 1}}
    with Reader("specspan.db") as reader:
        (decision,) = reader.decisions()
        (clause,) = reader.statistics("clause")
    assert decision["findings"][0]["outcome"] == "violated"
    assert dict(clause.verdicts) == {"violated": 1}


def test_calls_without_content_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked about a call whose text was not recorded."""
    monkeypatch.setenv(CONTENT, "NO_CONTENT")
    with ScriptedJudge(RULES) as judge:
        record(judge, "number", when="{tags: [never]}")
        assert run()["clauses"] == {"protect_privacy": {"unassessed: content_not_recorded": 1}}
        assert list(judge.requests) == []


def test_a_dry_run_asks_nobody() -> None:
    """It counts what would be asked."""
    with ScriptedJudge(RULES) as judge:
        record(judge, "number", when="{tags: [never]}")
        assert run("--dry-run")["clauses"] == {"protect_privacy": {"would be asked": 1}}
        assert list(judge.requests) == []


def test_a_second_opinion_is_in_decisions_and_in_counts() -> None:
    """What is judged again counts as the judge says now, everywhere."""
    scores = iter([0.05, 0.95])
    with ScriptedJudge(lambda _, __: next(scores)) as judge:
        record(judge, "number")
        assert run("--again")["clauses"] == {"protect_privacy": {"violated": 1}}
    with Reader("specspan.db") as reader:
        (decision,) = reader.decisions()
        (clause,) = reader.statistics("clause")
        violating = reader.decisions(Filter(clause="protect_privacy", outcome="violated"))
    assert (decision["verdict"], decision["findings"][0]["outcome"]) == ("violated", "violated")
    assert dict(clause.verdicts) == {"violated": 1}
    assert len(violating) == 1
