"""Judges in processes that are killed, and in those that fork."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import openai
import pytest
from judged import NUMBER, RULES, judge_check, write_policy

import specspan
from specspan.runtime.configuration import current_configuration
from specspan.sqlite import Reader
from specspan.sqlite.exporters import SQLiteDecisionExporter
from specspan.sqlite.late_rows import tell_lost
from specspan.testing import JudgeFault, ScriptedJudge, ScriptedModel

APPLICATION = Path(specspan.__file__).parents[2] / "tests" / "support" / "judged_application.py"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


def run_application(way: str, judge: ScriptedJudge) -> subprocess.CompletedProcess[str]:
    write_policy(Path(), {"protect_privacy": [judge_check(judge)]})
    with ScriptedModel({"hello": "Hello."}) as model:
        command = [sys.executable, str(APPLICATION), way, model.base_url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))


def test_a_killed_process_leaves_no_finding_pending() -> None:
    """A finding that a killed process owed is told as lost, to a reader at once and in counts at the next start."""
    with ScriptedJudge(RULES, always=JudgeFault.SLOW, slow_s=30) as judge:
        assert run_application("killed", judge).returncode == -9
    with Reader("specspan.db") as reader:
        (decision,) = reader.decisions()
        assert [(each["outcome"], each["reason"]) for each in decision["findings"]] == [("unassessed", "lost")]
        assert dict(reader.statistics("clause")[0].verdicts) == {"pending": 1}
    with closing(_Started()), Reader("specspan.db") as reader:
        (decision,) = reader.decisions()
        assert [(each["outcome"], each["reason"]) for each in decision["findings"]] == [("unassessed", "lost")]
        assert dict(reader.statistics("clause")[0].verdicts) == {"unassessed": 1}


def test_an_answer_that_comes_after_all_is_not_lost() -> None:
    """A finding that was given up, as a clock went ahead or a process could not be seen, still counts when it comes."""
    with ScriptedJudge(RULES, always=JudgeFault.SLOW, slow_s=0.7) as judge, ScriptedModel({"hello": NUMBER}) as model:
        specspan.configure(write_policy(Path(), {"protect_privacy": [judge_check(judge)]}), db="specspan.db")
        specspan.instrument("openai")
        with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
            client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hello"}])
        configuration = current_configuration()
        assert configuration is not None
        configuration.pipeline.recorder.force_flush(10)
        with closing(sqlite3.connect("specspan.db")) as connection, connection:
            tell_lost(connection, time.time_ns() + 3_600 * 10**9)
        with Reader("specspan.db") as reader:
            assert reader.decisions()[0]["findings"][0]["reason"] == "lost"
        specspan.force_flush(20)
        specspan.uninstrument()
        specspan.shutdown()
    with Reader("specspan.db") as reader:
        (decision,) = reader.decisions()
        assert (decision["verdict"], decision["findings"][0]["outcome"]) == ("violated", "violated")
        assert dict(reader.statistics("clause")[0].verdicts) == {"violated": 1}


class _Started:
    """Exporter of the next process, which has written something."""

    def __init__(self) -> None:
        self._exporter = SQLiteDecisionExporter("specspan.db")
        self._exporter.export([{"v": 2, "type": "other"}])

    def close(self) -> None:
        self._exporter.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_both_sides_of_a_fork_are_judged() -> None:
    """A forked child has a loop and a queue of its own; what the parent queued is judged once."""
    with ScriptedJudge(RULES) as judge:
        done = run_application("forks", judge)
        assert done.returncode == 0, done.stderr
        assert len(judge.requests) == 3
    with Reader("specspan.db") as reader:
        found = [each["findings"][0]["outcome"] for each in reader.decisions()]
    assert found == ["complied"] * 3
