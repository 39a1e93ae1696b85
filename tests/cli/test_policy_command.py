"""`specspan policy`: what is bound is shown, what is refused is explained, a first policy is written."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from command_line import run_command

from specspan.checks.registry import kinds
from specspan.cli.commands import policy_group as module

SPEC = """\
---
id: shop
version: 2026-03-01
ladder: [owner, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner}

Always.

## Be polite {#be_polite authority=clerk}

Mostly.
"""

POLICY = """\
spec: shop.md
mode: enforce
clauses:
  keep_secrets:
    severity: critical
    action: block
    objective: {target: 99.9%, window: 30d}
    checks:
      - pattern: {any: [secret], stage: input}
      - pattern: {any: [secret]}
      - pattern: {any: [hidden]}
  be_polite:
overrides:
  - {clause: be_polite, by: clerk, reason: night shift, until: 2001-01-01}
  - {clause: be_polite, by: owner, reason: robbery}
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with a spec and a policy in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("shop.md").write_text(SPEC)
    Path("policy.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: str) -> Result:
    """`specspan policy ARGUMENTS` in this process."""
    return CliRunner().invoke(module.command, arguments)


def run_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`specspan policy ARGUMENTS` as a user runs it."""
    command = [sys.executable, "-c", "from specspan.cli.main import main; main()", "policy", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "100"})


def shown(output: str) -> str:
    """What was printed, without the space that fills up lines."""
    return "\n".join(line.rstrip() for line in output.splitlines())


def digest(path: str) -> str:
    """The digest of a file's bytes."""
    return f"sha256:{sha256(Path(path).read_bytes()).hexdigest()}"


def test_what_is_bound_is_shown_as_tables() -> None:
    """Which policy and spec, every clause with what is done about it, how much is checked, and the overrides."""
    result = run("check", "policy.yaml")
    assert result.exit_code == 0
    assert shown(result.output) == (
        f"policy  policy.yaml\n"
        f"        {digest('policy.yaml')}\n"
        f"spec    shop 2026-03-01\n"
        f"        {digest('shop.md')}\n"
        "mode    enforce: actions are taken\n"
        "\n"
        "clause        authority  severity  action  checks                            objective\n"
        "keep_secrets  owner      critical  block   pattern input, pattern output ×2  99.9% over 30d\n"
        "be_polite     clerk      medium    flag    none\n"
        "\n"
        f"owner  {'█' * 20}  1 of 1\n"
        f"clerk  {'░' * 20}  0 of 1\n"
        "Checked: 1 of 2 clauses. Unassessed on every call: 1.\n"
        "\n"
        "override   by     until       ruling            reason\n"
        "be_polite  clerk  2001-01-01  refused: expired  night shift\n"
        "be_polite  owner              granted           robbery"
    )


def test_the_circumstances_a_clause_is_for_are_shown() -> None:
    """A column for them where any clause has some, and none where none has."""
    assert " when" not in shown(run("check", "policy.yaml").output)
    text = "  be_polite: {when: {night: false, tier: [free, trial]}}"
    Path("some.yaml").write_text(f"spec: shop.md\nclauses:\n  keep_secrets:\n{text}\n")
    lines = shown(run("check", "some.yaml").output).splitlines()
    assert lines[6:9] == [
        "clause        authority  severity  action  checks  when",
        "keep_secrets  owner      medium    flag    none",
        "be_polite     clerk      medium    flag    none    night: false, tier: free or trial",
    ]
    _, polite = json.loads(run("check", "some.yaml", "--json").output)["clauses"]
    assert polite["when"] == {"night": [False], "tier": ["free", "trial"]}


@pytest.mark.parametrize("columns", ["40", "60", "80", "100"])
def test_a_narrow_terminal_breaks_no_word(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With clause ids as long as the Model Spec's, the least telling columns give way; nothing is torn or padded."""
    monkeypatch.setenv("COLUMNS", columns)
    long = "do_not_facilitate_illicit_behaviour"
    Path("shop.md").write_text(SPEC.replace("keep_secrets", long))
    Path("policy.yaml").write_text(POLICY.replace("keep_secrets", long))
    output = run("check", "policy.yaml").output
    table = output.split("\n\n")[1].splitlines()
    assert output.splitlines() == [line.rstrip() for line in output.splitlines()]
    assert max(map(len, table)) <= int(columns)
    assert {long, "be_polite"} <= {line.split()[0] for line in table}
    words = {"clause", "authority", "severity", "action", "checks", "objective", long, "be_polite", "owner", "clerk"}
    words |= {
        "critical",
        "medium",
        "block",
        "flag",
        "pattern",
        "input,",
        "output",
        "×2",
        "none",
        "99.9%",
        "over",
        "30d",
    }
    assert set(" ".join(table).split()) <= words | {"…"}


NIGHT = """\
extends: policy.yaml
environments:
  night:
    mode: observe
    clauses: {be_polite: {action: block}}
"""


def test_every_file_of_a_policy_is_named() -> None:
    """The files it extends follow, each with its digest, and the environment it is looked at in."""
    Path("night.yaml").write_text(NIGHT)
    result = run("check", "night.yaml", "--environment", "night")
    head = shown(result.output).split("\n\n", 1)[0].splitlines()
    assert [line.split() for line in head] == [
        ["policy", "night.yaml"],
        [json.loads(run("check", "night.yaml", "--environment", "night", "--json").stdout)["policy"]["digest"]],
        ["extends", "policy.yaml"],
        [digest("policy.yaml")],
        ["environment", "night"],
        ["spec", "shop", "2026-03-01"],
        [digest("shop.md")],
        ["mode", "observe:", "actions", "are", "only", "recorded"],
    ]
    assert "be_polite     clerk      medium    block" in shown(result.output)


def test_the_variable_names_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command looks at a policy as the application in the same shell would; a wrong name is refused."""
    Path("night.yaml").write_text(NIGHT)
    monkeypatch.setenv("SPECSPAN_ENV", "night")
    assert json.loads(run("check", "night.yaml", "--json").stdout)["policy"]["environment"] == "night"
    monkeypatch.setenv("SPECSPAN_ENV", "nihgt")
    assert "Did you mean 'night'?" in run("check", "night.yaml").stderr
    assert run("coverage", "night.yaml").exit_code != 0
    assert run("coverage", "night.yaml", "--environment", "night").exit_code == 0


def test_a_problem_in_a_file_below_is_told_with_that_file() -> None:
    """On standard error and as JSON; what is refused is the policy that was asked for."""
    Path("night.yaml").write_text(NIGHT)
    Path("policy.yaml").write_text("spec: shop.md\nmode: enfroce\n")
    assert run("check", "night.yaml").stderr.startswith("policy.yaml:2: mode: ")
    found = json.loads(run("check", "night.yaml", "--json").stdout)
    assert (found["refused"], found["problems"][0]["file"]) == ("night.yaml", "policy.yaml")


def test_clauses_that_are_watched_and_checks_that_look_now_and_then_are_told_apart() -> None:
    """The mode of each clause is shown where they differ, and the share of the calls with the check."""
    Path("policy.yaml").write_text(
        "spec: shop.md\nmode: enforce\nclauses:\n"
        "  keep_secrets: {checks: [{pattern: {any: [x], sample: 12.5%}}]}\n  be_polite: {mode: observe}\n"
    )
    assert (
        "clause        authority  severity  action  mode     checks\n"
        "keep_secrets  owner      medium    flag    enforce  pattern output 12.5%\n"
        "be_polite     clerk      medium    flag    observe  none\n"
    ) in shown(run("check", "policy.yaml").output)


def test_a_narrow_terminal_keeps_names_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clause ids are there to be copied: they are never folded."""
    monkeypatch.setenv("COLUMNS", "40")
    assert re.search(r"^keep_secrets ", run("check", "policy.yaml").output, re.MULTILINE)


def test_what_is_bound_is_also_json() -> None:
    """Everything in the tables, for programs."""
    result = run("check", "policy.yaml", "--json")
    assert result.exit_code == 0
    bound = json.loads(result.stdout)
    assert bound["policy"] == {
        "source": "policy.yaml",
        "digest": digest("policy.yaml"),
        "mode": "enforce",
        "environment": None,
        "layers": [{"source": "policy.yaml", "digest": digest("policy.yaml")}],
    }
    assert bound["spec"] == {"id": "shop", "version": "2026-03-01", "digest": digest("shop.md"), "source": "shop.md"}
    covered = bound["coverage"]
    assert (covered["binding"], covered["named"], covered["checked"], covered["unassessed"]) == (2, 2, 1, 1)
    secrets, polite = bound["clauses"]
    assert secrets["objective"] == {"target": 0.999, "window_s": 2592000}
    assert secrets["checks"][0] == {
        "name": "keep_secrets",
        "kind": "pattern",
        "version": "1",
        "stage": "input",
        "sample": 1.0,
        "timeout_s": None,
    }
    assert (secrets["mode"], secrets["on_error"], secrets["on_unread"]) == ("enforce", "open", "open")
    assert (polite["authority"], polite["checks"], polite["objective"]) == ("clerk", [], None)
    assert bound["overrides"][0] == {
        "clause": "be_polite",
        "by": "clerk",
        "kind": "explicit",
        "reason": "night shift",
        "until": "2001-01-01",
        "granted": False,
        "refusal": "expired",
    }


def test_a_refused_policy_is_told_every_problem() -> None:
    """A line each on standard error, nothing on standard output, exit code 2."""
    Path("policy.yaml").write_text("spec: shop.md\nmode: enfroce\nclauses:\n  keep_secret:\n")
    result = run("check", "policy.yaml")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "policy.yaml:2: mode: unknown value 'enfroce', not one of observe, enforce. Did you mean 'enforce'?\n"
        "policy.yaml:4: clauses.keep_secret: shop has no clause 'keep_secret'. Did you mean 'keep_secrets'?\n"
        "\n"
        "policy.yaml is refused: 2 problems.\n"
    )


def test_a_refusal_is_also_json() -> None:
    """An editor can put each problem at its line."""
    Path("policy.yaml").write_text("spec: shop.md\nmode: enfroce\n")
    result = run("check", "--json", "policy.yaml")
    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout) == {
        "refused": "policy.yaml",
        "problems": [
            {
                "file": "policy.yaml",
                "line": 2,
                "key": "mode",
                "message": "unknown value 'enfroce', not one of observe, enforce",
                "remedy": "Did you mean 'enforce'?",
            }
        ],
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe", b"a: &a [*a]", b"a: [", b"[" * 900_000, b"spec: shop.md\n" * 4_000_000],
    ids=["empty", "binary", "alias of itself", "open", "deep", "56 MB"],
)
def test_whatever_the_file_holds_there_is_no_traceback(content: bytes) -> None:
    """A message, exit code 2, and nothing of ours to read through."""
    Path("policy.yaml").write_bytes(content)
    result = run_command("policy", "check", "policy.yaml")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("policy.yaml")
    assert "Traceback" not in result.stderr


def test_an_absent_file_is_named() -> None:
    """Exit code 2, and what to do."""
    result = run("check", "absent.yaml")
    assert result.exit_code == 2
    assert result.stderr.startswith("absent.yaml: no such file. Check the path.")


CODE_POLICY = "spec: shop.md\nclauses: {be_polite: {checks: [{code: polite_words}]}}\n"
MODULE = """\
from specspan.checks.registry import check

@check("polite_words", stage="output")
def polite_words(call):
    return True
"""


def test_a_module_of_the_current_directory_brings_its_checks() -> None:
    """Without it the policy is refused; with `--import` it is bound."""
    Path("policy.yaml").write_text(CODE_POLICY)
    Path("shop_checks.py").write_text(MODULE)
    assert "no check is registered under 'polite_words'" in run_apart("check", "policy.yaml").stderr
    result = run_apart("check", "policy.yaml", "--import", "shop_checks")
    assert (result.returncode, result.stderr) == (0, "")
    assert "code output" in result.stdout


def test_a_file_of_another_folder_brings_its_checks() -> None:
    """`--import` takes the path of a Python file, too; one that is not there is named."""
    Path("policy.yaml").write_text(CODE_POLICY)
    Path("elsewhere").mkdir()
    Path("elsewhere/shop_checks.py").write_text(MODULE)
    result = run_apart("check", "policy.yaml", "--import", "elsewhere/shop_checks.py")
    assert (result.returncode, result.stderr) == (0, "")
    missing = run_command("policy", "check", "policy.yaml", "--import", "elsewhere/none.py")
    assert missing.returncode == 2
    assert "'elsewhere/none.py' cannot be imported: FileNotFoundError" in missing.stderr


def test_a_function_named_by_its_place_is_found_from_the_current_directory() -> None:
    """``code: module:function`` needs no `--import`."""
    Path("policy.yaml").write_text(CODE_POLICY.replace("polite_words", "'shop_checks:polite_words'"))
    Path("shop_checks.py").write_text(MODULE)
    assert run_apart("check", "policy.yaml").returncode == 0


def test_a_module_that_cannot_be_imported_is_named_with_the_reason() -> None:
    """Whatever it does on import, the command ends with a message; the search path is as it was."""
    Path("broken_checks.py").write_text("1 / 0")
    before = list(sys.path)
    result = run("check", "policy.yaml", "--import", "broken_checks")
    assert result.exit_code == 2
    assert "'broken_checks' cannot be imported: ZeroDivisionError: division by zero" in result.stderr
    assert sys.path == before


def test_a_first_policy_goes_to_standard_output_and_loads() -> None:
    """`init SPEC > FILE`, then `check FILE`."""
    first = run("init", "shop.md")
    assert first.exit_code == 0
    Path("first.yaml").write_text(first.stdout)
    assert shown(run("check", "first.yaml").stdout).endswith(
        "clause        authority  severity  action  checks\n"
        "keep_secrets  owner      high      flag    none\n"
        "be_polite     clerk      medium    flag    none\n"
        "\n"
        f"owner  {'░' * 20}  0 of 1\n"
        f"clerk  {'░' * 20}  0 of 1\n"
        "Checked: 0 of 2 clauses. Unassessed on every call: 2."
    )


def test_a_first_policy_finds_its_spec_from_where_it_is_written() -> None:
    """The path in it starts at its own folder."""
    Path("deep/er").mkdir(parents=True)
    result = run("init", "shop.md", "-o", "deep/er/policy.yaml")
    assert result.exit_code == 0
    assert "  path: ../../shop.md\n" in Path("deep/er/policy.yaml").read_text()
    assert run("check", "deep/er/policy.yaml").exit_code == 0


def test_a_policy_that_is_there_is_never_overwritten() -> None:
    """Exit code 2, and the file as it was."""
    result = run("init", "shop.md", "-o", "policy.yaml")
    assert result.exit_code != 0
    assert "policy.yaml exists already" in result.stderr
    assert Path("policy.yaml").read_text() == POLICY


def test_a_folder_that_is_not_there_is_named() -> None:
    """Nothing is written, and the reason is told."""
    result = run("init", "shop.md", "-o", "nowhere/policy.yaml")
    assert "nowhere/policy.yaml cannot be written: No such file or directory" in result.stderr


def test_a_spec_that_cannot_be_read_is_told_without_a_traceback() -> None:
    """Exit code 2 and the reader's own message."""
    Path("broken.md").write_bytes(b"\xff\xfe")
    result = run_command("policy", "init", "broken.md")
    assert result.returncode == 2
    assert "broken.md" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_schema_of_a_policy_is_printed() -> None:
    """As JSON, with every kind of check."""
    schema = json.loads(run("schema").stdout)
    assert set(schema["$defs"]["Check"]["properties"]) == set(kinds())


def test_the_schema_is_written_beside_a_first_policy() -> None:
    """Where the policy says it is; one that is there already stays as it is."""
    assert run("init", "shop.md", "-o", "first.yaml").exit_code == 0
    assert Path("policy.schema.json").read_text() == run("schema").stdout
    Path("policy.schema.json").write_text("mine")
    assert run("init", "shop.md", "-o", "second.yaml").exit_code == 0
    assert Path("policy.schema.json").read_text() == "mine"
    assert Path("first.yaml").read_text() == run("init", "shop.md").stdout
