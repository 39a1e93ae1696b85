"""Workers of job queues, as `docs/production` shows them: a job that ran is a decision, whatever ends its process."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from backends import eventually
from manners import POLICY, SPEC
from production_pages import commands_on, decided, files_on, running, write_files
from redis_server import redis_server

ANSWERED = """
    with open("answered", "a") as file:
        file.write("done\\n")
    return text
"""
"""What is left by a call that returned, so that a test knows of it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the policy and the files of the pages."""
    files = {"manners.md": SPEC, "policy.yaml": POLICY}
    for page in ("celery.md", "rq.md", "dramatiq.md"):
        shown = files_on(page)
        files |= {name: text.replace("\n    return text\n", ANSWERED) for name, text in shown.items()}
    write_files(tmp_path, files)
    return tmp_path


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The address of a Redis."""
    with redis_server() as address:
        yield address


def send(folder: Path, program: str, **variables: str) -> set[str]:
    """Run a program that sends jobs and prints their ids."""
    with running(folder, ["-c", program], **variables) as process:
        printed, _ = process.communicate(timeout=120)
    assert process.returncode == 0, printed
    return set(json.loads(printed.splitlines()[-1]))


def work(folder: Path, command: str, conversations: set[str], **variables: str) -> None:
    """Run a worker until each job has been answered, then end it by SIGTERM."""
    with running(folder, ["-m", *shlex.split(command)], **variables) as worker:
        answered = folder / "answered"
        eventually(lambda: worker.poll() is not None or _lines(answered) == len(conversations), 120, "the jobs' end")
        if worker.poll() is None:
            worker.send_signal(signal.SIGTERM)
        printed, _ = worker.communicate(timeout=120)
    assert worker.returncode == 0, printed
    assert set(decided(folder)) == {(each, "complied") for each in conversations}, printed


def _lines(file: Path) -> int:
    return file.read_text(encoding="utf-8").count("\n") if file.exists() else 0


def test_celery(folder: Path) -> None:
    """Processes of its pool that end after one task each, by `os._exit`, lose none of their decisions."""
    pytest.importorskip("celery", reason="Celery is not installed: make environments ENVIRONMENTS=job_queues")
    (folder / "queue").mkdir()
    options = 'app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}'
    tasks = (folder / "tasks.py").read_text(encoding="utf-8")
    made = re.search(r"^app = .*$", tasks, re.MULTILINE)
    assert made is not None
    (folder / "tasks.py").write_text(tasks.replace(made[0], f"{made[0]}\n{options}"), encoding="utf-8")
    broker = {"CELERY_BROKER_URL": "filesystem://", "C_FORCE_ROOT": "1"}
    sent = send(
        folder, "import json, tasks; print(json.dumps([tasks.chat.delay('hi').id for _ in range(3)]))", **broker
    )
    (command,) = commands_on("celery.md")
    work(folder, command, sent, **broker)


BILLIARD = """
import billiard.util, specspan
from jobs import answer

specspan.configure(policy="policy.yaml")
if __name__ == "__main__":
    child = billiard.Process(target=answer, args=("hi",))
    child.start()
    child.join()
"""


@pytest.mark.thorough
def test_a_process_of_billiard(folder: Path) -> None:
    """Celery's copy of `multiprocessing` has finalisers of its own, which run at the end of its processes."""
    pytest.importorskip("billiard", reason="Celery is not installed: make environments ENVIRONMENTS=job_queues")
    (folder / "program.py").write_text(BILLIARD, encoding="utf-8")
    with running(folder, ["program.py"]) as process:
        printed, _ = process.communicate(timeout=120)
    assert decided(folder) == [(None, "complied")], printed


@pytest.mark.skipif(find_spec("rq") is None, reason="RQ is not installed: make environments ENVIRONMENTS=job_queues")
def test_rq(folder: Path, redis: str) -> None:
    """A work horse ends by `os._exit`, and hands over before it."""
    program = f"""
import json, redis, rq
queue = rq.Queue(connection=redis.Redis.from_url({redis!r}))
print(json.dumps([queue.enqueue("jobs.answer", "hi").id for _ in range(3)]))
"""
    sent = send(folder, program)
    (command,) = commands_on("rq.md")
    work(folder, f"{command} --url {redis}".replace("rq worker", "rq.cli worker"), sent)


@pytest.mark.thorough
@pytest.mark.skipif(find_spec("dramatiq") is None, reason="dramatiq is not installed: see the one above")
def test_dramatiq(folder: Path, redis: str) -> None:
    """Its processes end after the messages under way, and hand over."""
    actors = (folder / "actors.py").read_text(encoding="utf-8")
    (folder / "actors.py").write_text(actors.replace("redis://localhost:6379", redis), encoding="utf-8")
    program = "import actors; [actors.chat.send('hi', each) for each in 'abc']; print('[\"a\", \"b\", \"c\"]')"
    sent = send(folder, program)
    (command,) = commands_on("dramatiq.md")
    work(folder, command, sent)
