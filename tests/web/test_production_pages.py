"""The pages of `docs/production` say what really holds: what they show is run as it stands there."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml
from backends import eventually, free_port
from manners import POLICY, SPEC
from production_pages import PAGES, commands_on, decided, files_on, running, write_files

ROOT = Path(__file__).parents[2]
DJANGO_SETTINGS = """
SECRET_KEY = "of a test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
"""
DJANGO_URLS = """
import specspan
from django.http import HttpResponse
from django.urls import path

@specspan.observe(model="parrot-1")
def answer(text):
    return text

urlpatterns = [path("chat", lambda request: HttpResponse(answer(request.GET["q"])))]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {"manners.md": SPEC, "policy.yaml": POLICY, "settings.py": DJANGO_SETTINGS, "urls.py": DJANGO_URLS}
    for page in ("processes.md", "web.md", "lambda.md"):
        files |= files_on(page)
    write_files(tmp_path, files)
    return tmp_path


def answers_at(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("command", commands_on("web.md"))
@pytest.mark.table(every=20)
def test_a_server_records_its_requests_and_ends_with_all_of_them(folder: Path, command: str) -> None:
    """Each request's call is decided in its conversation, and in the file after the server was told to stop."""
    port = free_port()
    words = shlex.split(command.replace("8000", str(port)))
    with running(folder, ["-m", *words], DJANGO_SETTINGS_MODULE="settings") as server:
        eventually(lambda: server.poll() is not None or answers_at(port), 120, "the server to listen")
        assert server.poll() is None, server.communicate()[0]
        for conversation in ("c-1", "c-2"):
            address = f"http://127.0.0.1:{port}/chat?q=good+morning"
            request = urllib.request.Request(address, headers={"X-Conversation": conversation})
            with urllib.request.urlopen(request, timeout=60) as answer:
                assert answer.read() == b"good morning"
        server.send_signal(signal.SIGTERM)
        printed, _ = server.communicate(timeout=120)
        assert server.returncode in (0, -signal.SIGTERM), printed
    assert decided(folder) == [("c-1", "complied"), ("c-2", "complied")]


@pytest.mark.thorough
@pytest.mark.parametrize("command", commands_on("web.md"))
def test_a_server_does_not_start_with_a_policy_that_is_refused(folder: Path, command: str) -> None:
    """What is wrong stands in what it prints."""
    (folder / "policy.yaml").write_text(POLICY.replace("be_kind", "be_knid"), encoding="utf-8")
    words = shlex.split(command.replace("8000", str(free_port())))
    with running(folder, ["-m", *words], DJANGO_SETTINGS_MODULE="settings") as server:
        printed, _ = server.communicate(timeout=120)
        assert server.returncode != 0 or words[0] == "hypercorn"  # which ends with 0 whatever its workers say
    assert "manners has no clause 'be_knid'" in printed


def test_a_function_hands_over_before_it_answers(folder: Path) -> None:
    """A process that is frozen and never wakes again has lost nothing."""
    script = "import handler, os; print(handler.handler({'question': 'shut up'}, None), flush=True); os._exit(0)"
    with running(folder, ["-c", script]) as process:
        printed, _ = process.communicate(timeout=120)
    assert printed == "{'answer': 'shut up'}\n"
    assert decided(folder) == [(None, "violated")]


def test_a_program_of_its_own_ends_by_sigterm_with_all_it_recorded(folder: Path) -> None:
    """The one line of the page turns the signal into an exit."""
    with running(folder, ["worker.py"]) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("good morning\n")
        process.stdin.flush()
        assert process.stdout.readline() == "good morning\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 128 + signal.SIGTERM
    assert decided(folder) == [(None, "complied")]


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        ("leaving.py", "another program\n"),
        pytest.param("pool.py", "['good morning', 'good night']\n", marks=pytest.mark.thorough),
    ],
)
def test_processes_that_end_without_atexit_hand_over(folder: Path, program: str, printed: str) -> None:
    """A forked child that leaves by `os._exit`, a program that becomes another, and a pool: each decision is there."""
    with running(folder, ["-W", "ignore::DeprecationWarning", program]) as process:
        assert process.communicate(timeout=120)[0] == printed
    assert decided(folder) == [(None, "complied")] * 2


def test_the_manifest_fits_what_specspan_does() -> None:
    """Its variables exist, its command is the one of the page of servers, and the file can be written."""
    template = yaml.safe_load(files_on("kubernetes.md")["deployment.yaml"])["spec"]["template"]["spec"]
    [container] = template["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    known = set(re.findall(r"^\| `(SPECSPAN_\w+)`", (PAGES / "variables.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert {name for name in variables if name.startswith("SPECSPAN_")} <= known
    assert container["command"][:2] == shlex.split(commands_on("web.md")[0])[:2]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    mounts = {Path(each["mountPath"]): each for each in container["volumeMounts"]}
    assert not mounts[Path(str(variables["SPECSPAN_DB"])).parent].get("readOnly")
    assert mounts[Path(str(variables["SPECSPAN_POLICY"])).parent]["readOnly"]
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in template["volumes"]}


def test_the_table_of_variables_is_what_the_code_says() -> None:
    """No variable is missing, none is there that nobody reads."""
    command = [sys.executable, "tools/variables.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
