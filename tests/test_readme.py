"""What the README and the pages beside it show is what happens: programs run, and commands run."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import copytree

import pytest
from otlp_receiver import over_http

from documents import ROOT, Block, blocks
from specspan.testing import Prompt, ScriptedModel

PAGES = (
    "docs/tour.md",
    "docs/enforcement.md",
    "docs/coming-from.md",
)  # the README itself runs in order: test_readme_session.py
SHOWN = [(f"{page}:{block.line}", block) for page in PAGES for block in blocks(page)]
PROGRAMS = [pytest.param(block, id=place) for place, block in SHOWN if block.language == "python"]
COMMANDS = [pytest.param(block, id=place) for place, block in SHOWN if block.language == "sh"]
PATIENCE_S = 60

# Files that the tour mentions and does not show.
BESIDE = {
    "neighbours.md": "# Street {#street}\n\n## Keep neighbours private {#keep_neighbours_private authority=root}\n",
    "strict.yaml": """\
spec: neighbours.md
mode: enforce
clauses:
  keep_neighbours_private:
    action: block
    checks:
      - pattern: {stage: output, any: ['\\bMr Pike\\b'], reason: neighbour}
""",
    "numbers.yaml": """\
spec: rules.md
clauses:
  keep_numbers_private:
    action: redact
    checks:
      - pattern: {stage: output, any: ['\\b\\d{3}-\\d{2}-\\d{4}\\b'], reason: account_number}
""",
}


def section(start: str) -> str:
    """The lines of `pyproject.toml` after this one, up to the end of the list or table."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return re.split(r"^(?:\]|\[.+)$", text.partition(f"{start}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


EXTRAS = re.findall(r"^([\w-]+) = ", section("[project.optional-dependencies]"), re.MULTILINE)


def script(prompt: Prompt) -> str:
    """What the model answers in the README."""
    if "next door" in prompt.last_user:
        return "Your neighbour is Mr Pike from number seven."
    return "Your account number is 123-45-6789."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with every file that the README shows or the tour mentions."""
    return filled(tmp_path)


def filled(folder: Path) -> Path:
    shown = {block.file: block.text for page in ("README.md", *PAGES) for block in blocks(page) if block.file}
    for name, text in {**BESIDE, **shown}.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def after_the_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a folder in which the README's program ran; not to be changed."""
    folder = filled(tmp_path_factory.mktemp("program"))
    with a_reader() as variables:
        ran([sys.executable, "app.py"], folder, variables)
    return folder


@pytest.fixture
def variables() -> Iterator[dict[str, str]]:
    """The environment of a reader who has a service to talk to."""
    with a_reader() as found:
        yield found


@contextmanager
def a_reader() -> Iterator[dict[str, str]]:
    with ScriptedModel(script) as model:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SPECSPAN_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        yield {**clean, "OPENAI_API_KEY": model.api_key, "OPENAI_BASE_URL": model.base_url, "PATH": path}


def ran(command: list[str], folder: Path, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command that ended well."""
    finished = subprocess.run(
        command, check=False, cwd=folder, env=variables, capture_output=True, text=True, timeout=PATIENCE_S
    )
    assert finished.returncode == 0, f"{shlex.join(command)}: {finished.stderr}"
    return finished


@pytest.mark.parametrize("block", PROGRAMS)
@pytest.mark.table(every=20)
def test_every_program_runs_and_prints_what_is_shown(block: Block, folder: Path, variables: dict[str, str]) -> None:
    """Each is whole: it runs as it stands, beside the files shown."""
    (folder / "program.py").write_text(block.text)
    finished = ran([sys.executable, "program.py"], folder, variables)
    assert finished.stderr == ""
    assert finished.stdout.strip() == (block.output or "").strip()


@pytest.mark.parametrize("key", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_the_readmes_program_prints_what_is_shown(key: bool, folder: Path, variables: dict[str, str]) -> None:
    """With a key and without one."""
    if not key:
        del variables["OPENAI_API_KEY"]
    finished = ran([sys.executable, "app.py"], folder, variables)
    assert finished.stderr == ""
    assert finished.stdout in {block.output for block in blocks("README.md")}


def test_a_policy_is_checked_without_running_the_application(folder: Path, variables: dict[str, str]) -> None:
    """The checks of the README are a module of their own, and its policy names all of them."""
    (folder / "app.py").write_text("raise SystemExit('the application ran')")
    finished = ran(["specspan", "policy", "check", "policy.yaml", "--import", "checks"], folder, variables)
    assert "Checked: 2 of 2 clauses." in finished.stdout
    assert not (folder / "specspan.db").exists()


@pytest.mark.parametrize("block", COMMANDS)
@pytest.mark.thorough
def test_every_command_does_what_it_is_shown_for(
    block: Block, after_the_program: Path, tmp_path: Path, variables: dict[str, str]
) -> None:
    """Commands of ours run after the README's program; make knows its targets; variables reach what follows them."""
    folder = copytree(after_the_program, tmp_path / "reader")
    with over_http() as (endpoint, received):
        for line in block.text.splitlines():
            command = shlex.split(line, comments=True)
            if command[0] == "export":
                name, _, value = command[1].partition("=")
                variables[name] = value.replace("http://localhost:4318", endpoint)
            elif command[0] == "make":
                ran(["make", "--dry-run", *command[1:]], ROOT, variables)
            elif command[0] == "specspan":
                finished = ran(command, folder, variables)
                assert finished.stdout or finished.stderr
            else:
                assert command[0] == "pip"
        if "specspan demo" in block.text and "ENDPOINT" in block.text:
            assert received.names


@pytest.mark.thorough
def test_the_trace_shown_is_the_one_that_is_made(folder: Path, variables: dict[str, str]) -> None:
    """The trace at the top is a part of what the demo prints, but for ids, times and durations."""
    without = {name: value for name, value in variables.items() if not name.startswith("OPENAI_")}
    screen = ran(["specspan", "demo"], folder, {**without, "COLUMNS": "100"}).stdout
    shown = next(block.text for block in blocks("README.md") if block.language == "text")
    assert timeless(shown).strip() in timeless(screen)


def timeless(text: str) -> str:
    text = re.sub(r"\b[0-9a-f]{32}\b", "<trace>", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", "<time>", text)
    text = re.sub(r"\b[\d.]+ (µs|ms|s)\b", "<duration>", text)
    return "\n".join(re.sub(r"\s+", " ", line).strip() for line in text.splitlines())


def test_every_extra_named_exists() -> None:
    """`pip install 'specspan[x]'` is only said of extras there are."""
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.py")]
    named = {
        extra
        for page in pages
        for listed in re.findall(r"pip install 'specspan\[([\w,]+)\]'", page.read_text(encoding="utf-8"))
        for extra in listed.split(",")
    }
    assert named
    assert named <= set(EXTRAS)


def test_dependencies_each_have_their_reason() -> None:
    """`docs/dependencies.md` names every package that an installation brings, and no other."""
    rows = re.findall(r"^\| `([\w-]+)` \|", (ROOT / "docs/dependencies.md").read_text(encoding="utf-8"), re.MULTILINE)
    core = re.findall(r'^    "([\w-]+)', section("dependencies = ["), re.MULTILINE)
    assert sorted(rows) == sorted([*core, *EXTRAS])
