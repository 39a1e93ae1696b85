"""`specspan spec show`: what it prints, and what it says of what it cannot show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Ended, run_command

from specspan.spec.read import load_spec
from specspan.spec.spec_json import clause_to_json, spec_to_json

HARBOUR = Path(__file__).parents[1] / "spec" / "data" / "harbour-2026-03-01.md"

HOSTILE = """\
# A \x1b[31m {#a authority=user tags=\x1b[31m}

Text \x1b[2J \x9b31m.

!!! meta
    \x1b[5m

**Example**: \x1b]0;title\x07

~~~xml
<user a="\x1b[0m">
\x1b[0m
</user>
<comparison>
<assistant> <!-- BAD, \x1b[1m: \x1b[2m -->
&#27;[0m
</assistant>
</comparison>
~~~
"""


def specspan(*arguments: str | Path, **environment: str) -> Ended:
    """Run the command line in this process, with room for whole lines."""
    return run_command(*arguments, **{"COLUMNS": "200", **environment})


def run_apart(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", "from specspan.cli.main import main; main()", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", "COLUMNS": "200", **environment},
        check=False,
    )


def test_overview_shows_identity_ladder_counts_and_tree() -> None:
    """Without a clause, the whole spec is shown: who it is, its chain of command, counts, and every section."""
    ran = specspan("spec", "show", HARBOUR)
    assert (ran.returncode, ran.stderr) == (0, "")
    identity, source, _, ladder, *rest = ran.stdout.splitlines()
    spec = load_spec(HARBOUR)
    assert identity.split()[:3] == ["harbour", "2026-03-01", spec.digest[:19]]
    assert source == str(HARBOUR)
    assert ladder == "chain of command  root › system › developer › user › guideline"
    names = f"{rest[0]} {rest[2]}".replace("no label", "no_label").split()
    counts = dict(zip(names, f"{rest[1]} {rest[3]}".split(), strict=True))
    assert counts["sections"] == "5"
    assert counts["root"] == counts["OK"] == "1"
    assert counts["no_label"] == "2"
    tree = [line.split("  ")[0] for line in rest[6:]]
    assert tree == ["harbour", "safety", "├ keep_secrets", "│ └ deep", "└ be_brief"]


def test_narrow_terminal_cuts_titles_and_never_ids(tmp_path: Path) -> None:
    """In eighty columns every id, level and number is whole: they are what a policy is written with."""
    id_ = "n" * 40
    path = tmp_path / "spec.md"
    path.write_text(f"# Top {{#top}}\n## {'A long title ' * 9}{{#{id_} authority=guideline}}\n", encoding="utf-8")
    shown = specspan("spec", "show", path, COLUMNS="80").stdout
    assert f"└ {id_}  guideline  A long" in shown
    assert "sections  root  system  developer  user  guideline  no label" in shown
    assert max(map(len, shown.splitlines()[2:])) <= 80


def test_clause_is_shown_whole() -> None:
    """One clause is shown with where it stands, its text, references, and examples with their verdicts."""
    ran = specspan("spec", "show", HARBOUR, "keep_secrets")
    assert (ran.returncode, ran.stderr) == (0, "")
    for expected in (
        "safety › keep_secrets",
        "Keep secrets  root  #privacy  #crew",
        f"{HARBOUR}:25",
        "refers to       safety · be_brief · harbour",
        "referred to by  harbour",
        "contains        deep",
        "Never give out berth codes; safety comes first",
        "Example 1  asking for a code, against be_brief",
        "BAD │ gives it away, as harbour says · charged against be_brief",
        "GOOD │ asks first · when asked by crew",
        "tool │ name=ask",
        "user │ Thanks",
    ):
        assert expected in ran.stdout
    shown = ran.stdout
    assert shown.index("BAD │") < shown.index("GOOD │") < shown.index("Thanks") < shown.index("You are welcome.")


def test_commentary_is_shown_as_what_it_is() -> None:
    """Commentary is set apart from the text that binds."""
    ran = specspan("spec", "show", HARBOUR, "harbour")
    text, _, commentary = ran.stdout.partition("commentary, binds nobody")
    assert "Text behind the commentary." in text
    assert "Written for readers" in commentary


def test_marks_of_absent_footnotes_are_left_out_but_never_code() -> None:
    """A footnote that is defined elsewhere is not shown; a pattern in code that looks like one is."""
    ran = specspan("spec", "show", HARBOUR, "be_brief")
    assert "Say it once. [^a-z] is a pattern; [^abc] too." in ran.stdout


def test_clause_id_may_be_given_as_a_reference() -> None:
    """An id pasted with its '#' is found."""
    assert specspan("spec", "show", HARBOUR, "#deep").returncode == 0


def test_json_is_the_documented_form() -> None:
    """`--json` prints exactly what the pure functions give, for the whole spec and for one clause."""
    spec = load_spec(str(HARBOUR))
    assert json.loads(specspan("spec", "show", HARBOUR, "--json").stdout) == spec_to_json(spec)
    one = json.loads(specspan("spec", "show", HARBOUR, "deep", "--json").stdout)
    assert one == clause_to_json(spec.clauses["deep"])


@pytest.mark.parametrize("arguments", [(), ("keep_secrets",), ("--json",)])
def test_output_that_is_not_utf8_is_no_error(arguments: tuple[str, ...]) -> None:
    """Where standard output cannot show every character, the rest is shown, and JSON stays whole."""
    ran = run_apart("spec", "show", HARBOUR, *arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (ran.returncode, ran.stderr) == (0, "")
    if "--json" in arguments:
        assert json.loads(ran.stdout) == spec_to_json(load_spec(str(HARBOUR)))


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_closed_pipe_is_no_traceback(arguments: tuple[str, ...]) -> None:
    """A reader that goes away early, such as `head`, ends the command quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        ran = subprocess.run(
            [sys.executable, "-c", "from specspan.cli.main import main; main()", "spec", "show", HARBOUR, *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (141, b"")  # as of a program that SIGPIPE ended; 1 would say: found


def test_terminal_commands_in_a_spec_are_not_obeyed(tmp_path: Path) -> None:
    """A spec cannot move the cursor or set colours in the terminal of whoever shows it."""
    path = tmp_path / "\x1b[31m.md"
    path.write_text(HOSTILE, encoding="utf-8")
    for arguments in ((), ("a",)):
        ran = specspan("spec", "show", path, *arguments)
        assert ran.returncode == 0
        assert not set(ran.stdout) & {"\x1b", "\x07", "\x9b"}
    ran = specspan("spec", "show", path, "\x1b[31m")
    assert "\x1b" not in ran.stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"# A {#a authority=boss}\n", "spec.md:1: unknown authority 'boss'"),
        (b"# A {#a}\n\xff", "spec.md:2: byte 0xff"),
        (b"\0\1\2", "spec.md: this is a binary file"),
        (b"# A {#a}\n# A {#a}\n# A {#b b=c}", "spec.md:3: unknown attribute 'b'"),
    ],
)
def test_broken_file_is_a_line_and_exit_code_2(tmp_path: Path, content: bytes, says: str) -> None:
    """A file that cannot be read gives what is wrong on standard error, no traceback, and exit code 2."""
    path = tmp_path / "spec.md"
    path.write_bytes(content)
    ran = specspan("spec", "show", path)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_huge_file_is_a_line_and_exit_code_2(tmp_path: Path) -> None:
    """Fifty megabytes are refused, not read."""
    path = tmp_path / "huge.md"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    ran = specspan("spec", "show", path)
    assert ran.returncode == 2
    assert "larger than 16 MB" in ran.stderr


def test_unknown_clause_names_the_nearest() -> None:
    """A misspelt clause is answered with the nearest ids and exit code 2."""
    ran = specspan("spec", "show", HARBOUR, "keep_secret")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "unknown clause 'keep_secret'. Did you mean 'keep_secrets'?" in ran.stderr
    assert "lists them all" in specspan("spec", "show", HARBOUR, "zzz").stderr
