"""Judges in processes that are killed, and in those that fork."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from judged import RULES, judge_check, write_policy

import specspan
from specspan.sqlite import Reader
from specspan.sqlite.exporters import SQLiteDecisionExporter
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
