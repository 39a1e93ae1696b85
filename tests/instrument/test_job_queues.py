"""Time limits of job queues, which raise in the midst of a job: real workers of Celery and RQ.

The job calls a model under a policy whose check is still at work when the time is up.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

JOB = """
    import json, os, time
    import specspan
    from openai_wire import Wire, completion
    from policies import Code, bound, policy
    from specspan.decision import Action, Mode, Stage
    from specspan.testing.memory import recorded

    specspan.instrument("openai")  # which imports it, and takes a while

    def work_on(call, texts):
        until = time.monotonic() + 300
        while time.monotonic() < until:
            pass
        return True

    def ask_model(limit):
        rules = policy(bound("slow", Code(work_on, Stage.INPUT), action=Action.BLOCK), mode=Mode.ENFORCE)
        outcome = "finished"
        with recorded(rules) as record, Wire(completion()).sync_client() as client:
            try:
                client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
            except limit as error:
                outcome = type(error).__name__
            reasons = [decision["reason"] for decision in record.decisions]
            errors = [span.attributes.get("error.type") for span in record.spans]
        with open(os.environ["OUTCOME"], "w") as file:
            json.dump({"outcome": outcome, "reasons": reasons, "errors": errors}, file)
"""

CELERY = """
    import celery, os
    from celery.exceptions import SoftTimeLimitExceeded
    from job import ask_model

    app = celery.Celery("queue", broker="filesystem://")
    folder = os.environ["QUEUE"]
    app.conf.broker_transport_options = {"data_folder_in": folder, "data_folder_out": folder}

    @app.task(soft_time_limit=3)
    def ask():
        ask_model(SoftTimeLimitExceeded)
"""

RQ = """
    import fakeredis, sys
    from rq import Queue, SimpleWorker
    from rq.timeouts import JobTimeoutException, TimerDeathPenalty, UnixSignalDeathPenalty
    from job import ask_model

    class Worker(SimpleWorker):
        death_penalty_class = {"signal": UnixSignalDeathPenalty, "thread": TimerDeathPenalty}[sys.argv[1]]

    connection = fakeredis.FakeStrictRedis()
    queue = Queue(connection=connection)
    queue.enqueue(ask_model, JobTimeoutException, job_timeout=3)
    Worker([queue], connection=connection).work(burst=True)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the job, and all that a worker in it finds in its environment."""
    (tmp_path / "job.py").write_text(textwrap.dedent(JOB), encoding="utf-8")
    (tmp_path / "messages").mkdir()
    support = Path(__file__).parents[1] / "support"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), str(support), os.environ.get("PYTHONPATH", ""))))
    monkeypatch.setenv("OUTCOME", str(tmp_path / "outcome.json"))
    monkeypatch.setenv("QUEUE", str(tmp_path / "messages"))
    monkeypatch.setenv("C_FORCE_ROOT", "1")
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    return tmp_path


def outcome(folder: Path) -> dict[str, object]:
    result: dict[str, object] = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
    return result


def test_celery(folder: Path) -> None:
    """A soft time limit reaches the task, from a real worker with a pool of processes."""
    pytest.importorskip("celery", reason="Celery is not installed: make environments ENVIRONMENTS=job_queues")
    (folder / "queue_app.py").write_text(textwrap.dedent(CELERY), encoding="utf-8")
    send = "import queue_app; queue_app.ask.delay()"
    subprocess.run([sys.executable, "-c", send], cwd=folder, check=True)
    command = [sys.executable, "-m", "celery", "-A", "queue_app", "worker", "--pool=prefork", "-c1"]
    with subprocess.Popen([*command, "--loglevel=info"], cwd=folder, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        log = list[str]()
        for line in worker.stderr:
            log.append(line)
            if "succeeded" in line or "raised" in line:
                break
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=60)

    assert "succeeded" in log[-1], "".join(log)
    assert outcome(folder) == {
        "outcome": "SoftTimeLimitExceeded",
        "reasons": ["interrupted"],
        "errors": ["SoftTimeLimitExceeded"],
    }


@pytest.mark.parametrize("penalty", ["signal", "thread"])
def test_rq(folder: Path, penalty: str) -> None:
    """A job's time limit reaches the job, whether a signal or another thread raises it."""
    pytest.importorskip("rq", reason="RQ is not installed: make environments ENVIRONMENTS=job_queues")
    (folder / "worker.py").write_text(textwrap.dedent(RQ), encoding="utf-8")
    subprocess.run([sys.executable, "worker.py", penalty], cwd=folder, check=True, timeout=300)

    assert outcome(folder) == {
        "outcome": "JobTimeoutException",
        "reasons": ["interrupted"],
        "errors": ["JobTimeoutException"],
    }
