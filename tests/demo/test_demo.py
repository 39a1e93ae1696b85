"""`specspan demo`, run as a newcomer runs it: in a process of its own, from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from otlp_receiver import over_http

from specspan.demo.conversations import CONVERSATIONS
from specspan.spec.read import load_spec
from specspan.sqlite import Reader
from specspan.sqlite.model import Filter
from specspan.testing import ScriptedModel

# One worker runs all of them, so that they share their runs.
pytestmark = pytest.mark.xdist_group("demo")

SPECSPAN = Path(sys.executable).with_name("specspan")
PATIENCE_S = 60

Demo = Callable[..., str]
Edit = Callable[..., Path]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    """Runs the demo with some arguments and variables; gives what it printed."""

    def run(*arguments: object, **variables: str) -> str:
        return shown(started(tmp_path, "demo", *arguments, **variables))

    return run


@dataclass(frozen=True)
class Run:
    """The demo as it is, run once for every test that only reads what came of it."""

    folder: Path
    screen: str


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run into a file of its own."""
    folder = tmp_path_factory.mktemp("run")
    return Run(folder, shown(started(folder, "demo", "--db", "here.db")))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's material, as it writes it out; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    shown(started(folder, "demo", "--write", "desk"))
    return folder / "desk"


@pytest.fixture
def desk(tmp_path: Path, written: Path) -> Path:
    """The same, to be changed."""
    return copytree(written, tmp_path / "desk")


@pytest.fixture
def edited(desk: Path) -> Edit:
    """Replaces something in a file of the demo's material; gives the policy's path."""

    def edit(old: str, new: str, file: str = "policy.yaml") -> Path:
        path = desk / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        path.write_text(text.replace(old, new))
        return desk / "policy.yaml"

    return edit


def started(folder: Path, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "OPENAI_"))}
    return subprocess.run(
        [SPECSPAN, *map(str, arguments)],
        check=False,
        cwd=folder,
        env={**inherited, "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )


def shown(finished: subprocess.CompletedProcess[str]) -> str:
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


@contextmanager
def file_of(path: Path) -> Iterator[Reader]:
    with Reader(path) as reader:
        yield reader


def decisions(folder: Path, name: str = "specspan.db") -> list[dict[str, Any]]:
    with file_of(folder / name) as reader:
        return [dict(decision) for decision in reversed(reader.decisions(Filter(limit=100)))]


def outcomes(folder: Path, clause: str) -> set[str]:
    return {
        finding["outcome"]
        for decision in decisions(folder)
        for finding in decision["findings"]
        if finding["clause"] == clause
    }


def section(screen: str, title: str) -> str:
    """What the screen says of one conversation."""
    return re.split(r"\n\d  |\n─{20,}", screen.partition(f"  {title} ")[2])[0]


def test_one_run_shows_everything_there_is_to_see(run: Run) -> None:
    """Each outcome, one call blocked, one escalated, one answer redacted, one flagged, one stream cut."""
    screen = run.screen

    made = decisions(run.folder, "here.db")
    assert Counter(decision["action"] for decision in made) == {
        "allow": 4,
        "block": 2,
        "flag": 1,
        "redact": 1,
        "escalate": 1,
    }
    released = [(decision.get("stream") or {}).get("released_chars") for decision in made]
    assert [chars for chars in released if chars is not None] == [61]
    for word in ("complied", "violated", "overridden", "not applicable", "unassessed"):
        assert word in screen
    assert len([line for line in screen.splitlines() if "granted" in line or "refused" in line]) == 2
    for conversation in CONVERSATIONS:
        assert conversation.title in screen


def test_the_person_sees_what_the_policy_lets_through(run: Run) -> None:
    """No card number, no address, no repair instruction reaches the person, and the rest does."""
    screen = run.screen
    assert "number [redacted:card_number]" in section(screen, "More than a customer may read")
    assert "Maren lives at" in section(screen, "A private address, streamed")
    for secret in ("4111", "14 Kelp Row", "copper contacts", "340 is on its way"):
        assert secret not in screen
    assert "I guarantee it will arrive" in section(screen, "A promise nobody can keep")


def test_it_fits_a_terminal(run: Run) -> None:
    """A hundred columns, and a few screens at most."""
    lines = run.screen.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) < 150


def test_it_says_where_everything_is_and_how_to_send_it(run: Run, tmp_path: Path) -> None:
    """The file's whole path, a command that lists what is in it, and two commands for Jaeger."""
    screen, path = run.screen, str(run.folder / "here.db")
    assert path in screen.replace("\n", "")
    assert "docker run" in screen
    assert "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces specspan demo" in screen
    listed = shown(started(tmp_path, "traces", "list", "--outcome", "violated", SPECSPAN_DB=path))
    assert listed.count("violated") >= 5


@pytest.mark.thorough
def test_a_clause_without_its_check_is_unassessed(demo: Demo, edited: Edit, tmp_path: Path) -> None:
    """Nothing is canned: take a check out, and nobody claims that the clause was complied with."""
    policy = edited("    checks:\n      - code: specspan.demo.assistant:at_most_50_words\n", "")
    screen = demo("--policy", policy)
    assert outcomes(tmp_path, "be_brief") <= {"overridden"}
    assert re.search(r"unassessed \(4\)[^()✔]*\bbe_brief\b", screen)


@pytest.mark.thorough
def test_a_milder_action_lets_the_answer_through(demo: Demo, edited: Edit) -> None:
    """Turn redact into flag, and the number is there, marked as a violation."""
    policy = edited("severity: critical\n    action: redact", "severity: critical\n    action: flag")
    answer = section(demo("--policy", policy), "More than a customer may read")
    assert "4111 1111 1111 1111" in answer
    assert "violated · flag" in answer


@pytest.mark.thorough
def test_a_stricter_pattern_finds_more(demo: Demo, edited: Edit, tmp_path: Path) -> None:
    """A pattern that hits another answer changes the verdict on that answer."""
    policy = edited(r"'\bcalm down\b'", "'good news'")
    demo("--policy", policy)
    assert outcomes(tmp_path, "be_warm") == {"violated", "complied", "not_applicable", "unassessed"}


@pytest.mark.thorough
def test_the_spec_decides_what_may_be_overridden(demo: Demo, edited: Edit, tmp_path: Path) -> None:
    """Lift a clause to the top of the ladder, and the developer's exception to it is refused."""
    policy = edited("{#be_brief authority=guideline}", "{#be_brief authority=root}", "support_desk.md")
    screen = demo("--policy", policy)
    assert "override be_brief by developer refused" in screen
    assert "violated" in outcomes(tmp_path, "be_brief")


@pytest.mark.thorough
def test_observing_changes_nothing_and_says_what_it_would_have_done(demo: Demo, tmp_path: Path) -> None:
    """In observe mode every answer arrives whole, and the record says which would not have."""
    screen = demo("--mode", "observe")
    for secret in ("4111 1111 1111 1111", "14 Kelp Row", "copper contacts", "340 is on its way"):
        assert secret in screen
    made = decisions(tmp_path)
    assert {decision["action"] for decision in made} == {"allow", "flag"}
    assert {"block", "redact", "escalate", "flag"} <= {decision["would"] for decision in made}


@pytest.mark.thorough
def test_a_real_service_takes_the_scripts_place(demo: Demo) -> None:
    """With OPENAI_API_KEY and OPENAI_BASE_URL set, the answers are that service's."""
    with ScriptedModel(lambda _: "Ahoy from the real service.") as service:
        screen = demo(OPENAI_API_KEY="key", OPENAI_BASE_URL=service.base_url, OPENAI_MODEL="scripted-other")
        asked = {request["model"] for request in service.requests}
    assert asked == {"scripted-other"}
    assert "Ahoy from the real service." in screen
    assert "a script, not a model" not in screen


@pytest.mark.thorough
def test_spans_go_to_a_backend_as_well(demo: Demo, tmp_path: Path) -> None:
    """With an endpoint set, the same spans arrive there, and the screen still shows them."""
    with over_http() as (endpoint, received):
        screen = demo(OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{endpoint}/v1/traces")
    assert Counter(received.names)["chat scripted-1"] == 9
    assert screen.count("chat scripted-1") == 9


@pytest.mark.thorough
def test_the_material_is_never_written_over(desk: Path, tmp_path: Path) -> None:
    """A second --write into the same folder is refused, by the name of what stands there."""
    again = started(tmp_path, "demo", "--write", "desk")
    assert again.returncode == 2
    assert "desk/policy.yaml: stands here already" in again.stderr


@pytest.mark.thorough
def test_the_policy_stands_on_its_own(written: Path, tmp_path: Path) -> None:
    """What was written out can be checked without the demo."""
    assert "be_brief" in shown(started(tmp_path, "policy", "check", written / "policy.yaml"))


def test_a_broken_policy_is_a_line_and_no_traceback(edited: Edit, tmp_path: Path) -> None:
    """Exit code 2, the file, the line and the remedy."""
    policy = edited("be_brief:", "be_breif:")
    refused = started(tmp_path, "demo", "--policy", policy)
    assert refused.returncode == 2
    assert re.search(r"policy\.yaml:\d+: .*be_breif.*be_brief", refused.stderr)
    assert "Traceback" not in refused.stderr


@pytest.mark.thorough
def test_without_the_openai_client_it_says_what_to_install(tmp_path: Path) -> None:
    """A missing optional library is one line with the command to run."""
    script = "import sys; sys.modules['openai'] = None; from specspan.cli.main import main; main()"
    refused = subprocess.run(
        [sys.executable, "-c", script, "demo"],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert refused.returncode == 2
    assert "pip install 'specspan[openai]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_specification_has_every_part_of_one(written: Path) -> None:
    """Twelve clauses on all five levels, with commentary, references and examples that have verdicts."""
    spec = load_spec(written / "support_desk.md")
    clauses = list(spec.binding)
    answers = [
        answer
        for clause in clauses
        for example in clause.examples
        for comparison in example.comparisons
        for answer in comparison.answers
    ]
    assert len(clauses) == 12
    assert {clause.authority for clause in clauses} == set(spec.ladder)
    assert {answer.verdict.label for answer in answers if answer.verdict} == {"GOOD", "BAD"}
    assert any(clause.commentary for clause in clauses)
    assert any(clause.references for clause in clauses)
    assert any(clause.tags for clause in clauses)


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        ((), {"OTEL_SDK_DISABLED": "true"}, "OTEL_SDK_DISABLED: it is set"),
        (("--write", "taken"), {}, "taken: no folder can be made here"),
        ((), {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}, "the model service failed"),
    ],
    ids=["recording is off", "a file in the way", "no service"],
)
@pytest.mark.thorough
def test_what_the_surroundings_do_not_allow_is_a_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], told: str
) -> None:
    """No traceback: what is wrong, and how to mend it where that is ours to say."""
    (tmp_path / "taken").touch()
    ran = started(tmp_path, "demo", *arguments, **variables)
    assert ran.returncode == 2
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
