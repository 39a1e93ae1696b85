"""A program that knows nothing of specspan, started by `specspan run` and by `opentelemetry-instrument`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from specspan.sqlite import Reader
from specspan.testing import ScriptedModel

BIN = Path(sys.executable).parent
RUN = (str(BIN / "specspan"), "run", "--", sys.executable)
OPENTELEMETRY = (str(BIN / "opentelemetry-instrument"), sys.executable)

ASKS = """
import os, sys
from openai import OpenAI

client = OpenAI(base_url=os.environ["MODEL_URL"], api_key="scripted")
answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
print(answer.choices[0].message.content)
sys.exit(7)
"""
STARTS_ANOTHER = """
import os, subprocess, sys

os.chdir("elsewhere")
sys.exit(subprocess.run([sys.executable, "../asks.py"]).returncode)
"""
SPAWNS = """
import multiprocessing, runpy

if __name__ == "__main__":
    child = multiprocessing.get_context("spawn").Process(target=runpy.run_path, args=("asks.py",))
    child.start()
    child.join()
    raise SystemExit(child.exitcode)
"""
TRACES_FOR_ITSELF = """
import json
from opentelemetry import trace

said = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "do shut up"}]}])
facts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.output.messages": said}
with trace.get_tracer("somebody").start_as_current_span("theirs", attributes=facts):
    pass
"""
SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
POLICY = """
spec: manners.md
mode: enforce
clauses:
  be_kind:
    action: block
    checks:
      - pattern: {stage: output, any: ['shut up'], reason: rude}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    files = {"asks.py": ASKS, "starts_another.py": STARTS_ANOTHER, "spawns.py": SPAWNS, "manners.md": SPEC}
    files["traces.py"] = TRACES_FOR_ITSELF
    for name, text in {**files, "policy.yaml": POLICY}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel(lambda _: "do shut up") as serving:
        yield serving


def environment(model: ScriptedModel | None = None, **more: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SPECSPAN_"))}
    exporters = {"OTEL_TRACES_EXPORTER": "specspan_sqlite", "OTEL_METRICS_EXPORTER": "none"}
    # Others that are installed for tests: three of the first name, and two that import clients nobody calls here.
    alone = {"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "openai,botocore,aiobotocore"}
    url = {} if model is None else {"MODEL_URL": model.base_url}
    return {**plain, **exporters, **alone, **url, "OTEL_LOGS_EXPORTER": "none", "SPECSPAN_DB": "found.db", **more}


def ran(
    folder: Path, command: Sequence[str], model: ScriptedModel | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    environ = environment(model, **more)
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60)


def spans(folder: Path) -> list[str]:
    with Reader(folder / "found.db") as reader:
        return [span.name for trace in reader.traces() for span in reader.spans(trace.trace_id)]


@pytest.mark.parametrize("through", [(*RUN[:3], *OPENTELEMETRY), RUN, OPENTELEMETRY], ids=["both", "run", "otel"])
@pytest.mark.table(every=3)
def test_an_unmodified_program_is_instrumented(folder: Path, model: ScriptedModel, through: Sequence[str]) -> None:
    """Its call has one span, whichever way it is started; what it prints and its exit code are its own."""
    done = ran(folder, [*through, "asks.py"], model)

    assert (done.stdout, done.returncode) == ("do shut up\n", 7), done.stderr
    assert spans(folder) == ["chat m"]


def test_a_policy_named_in_the_environment_is_enforced(folder: Path, model: ScriptedModel) -> None:
    """What the policy blocks is blocked in a program that has never heard of it."""
    done = ran(folder, [*OPENTELEMETRY, "asks.py"], model, SPECSPAN_POLICY="policy.yaml")

    assert "do shut up" not in done.stdout
    assert "Blocked" in done.stderr


@pytest.mark.thorough
def test_calls_that_others_trace_are_decided_where_the_environment_says_so(folder: Path) -> None:
    """The decision stands below their span, before the process ends; without the variable there is none."""
    done = ran(folder, [*OPENTELEMETRY, "traces.py"], SPECSPAN_POLICY="policy.yaml")
    assert (done.returncode, spans(folder)) == (0, ["theirs"]), done.stderr

    done = ran(folder, [*OPENTELEMETRY, "traces.py"], SPECSPAN_POLICY="policy.yaml", SPECSPAN_BRIDGES="true")
    assert done.returncode == 0, done.stderr
    with Reader(folder / "found.db") as reader:
        [record] = reader.decisions()
    assert (record["verdict"], record["mode"], record["call"]["dialect"]) == ("violated", "observe", "gen_ai")
    assert sorted(spans(folder)) == ["specspan.decision", "theirs", "theirs"]


@pytest.mark.parametrize("program", ["spawns.py", "starts_another.py"])
@pytest.mark.table(every=2)
def test_processes_that_a_program_starts_are_watched_too(folder: Path, model: ScriptedModel, program: str) -> None:
    """Policy and file are the same ones for a child, whatever folder it runs in."""
    done = ran(folder, [*RUN, program], model, SPECSPAN_POLICY="policy.yaml")

    assert "Blocked" in done.stderr
    assert (done.stdout, done.returncode) == ("", 1)
    assert spans(folder) == ["chat m"]


def test_no_client_is_imported_that_the_program_does_not_use(folder: Path) -> None:
    """Every process that is started is watched, most of them call no model, and none waits for clients to load."""
    done = ran(folder, [*RUN, "-c", "import sys; print({'anthropic', 'botocore', 'openai'} & set(sys.modules))"])

    assert done.stdout == "set()\n"


def test_a_signal_reaches_the_program_itself(folder: Path) -> None:
    """The process that was started becomes the program, so it dies of the signal that was sent to it."""
    (folder / "waits.py").write_text("import sys, time\nprint('ready', flush=True)\nsys.stdin.read()\n")
    started = subprocess.Popen(
        [*RUN, "waits.py"], cwd=folder, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        started.send_signal(signal.SIGTERM)
        assert started.wait(30) == -signal.SIGTERM


def test_a_refused_policy_is_told_before_the_program_starts(folder: Path) -> None:
    """`specspan run` starts nothing under a policy that cannot be used."""
    done = ran(folder, [*RUN[:2], "--policy", "none.yaml", "--", sys.executable, "-c", "print('started')"])

    assert (done.returncode, done.stdout) == (2, "")
    assert "none.yaml" in done.stderr


@pytest.mark.thorough
def test_under_opentelemetry_a_refused_policy_is_logged_and_the_program_runs(folder: Path) -> None:
    """Who is started by somebody else's command is not stopped by ours: the error names what is wrong."""
    done = ran(folder, [*OPENTELEMETRY, "-c", "print('started')"], SPECSPAN_POLICY="none.yaml")

    assert (done.returncode, done.stdout) == (0, "started\n")
    assert "does not watch this program" in done.stderr


@pytest.mark.thorough
def test_a_sitecustomize_that_ours_hides_is_run(folder: Path) -> None:
    """Whoever else customises the interpreter goes on doing so."""
    (folder / "elsewhere" / "sitecustomize.py").write_text("print('customised')\n")
    done = ran(folder, [*RUN, "-c", "print('started')"], PYTHONPATH=str(folder / "elsewhere"))

    # once by the command itself, which is Python, too
    assert done.stdout == "customised\ncustomised\nstarted\n"


@pytest.mark.parametrize(("name", "code"), [("no-such-program", 127), (".", 126)])
@pytest.mark.table(every=2)
def test_a_program_that_cannot_be_run_is_named(folder: Path, name: str, code: int) -> None:
    """The exit codes are those of shells, and the message says what is missing."""
    done = ran(folder, [*RUN[:3], name])

    assert done.returncode == code
    assert name in done.stderr
