"""`specspan spec lint`: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specspan.cli.main import cli
from specspan.errors import PolicyError, SpecError

SPEC = """\
---
ladder: [owner, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner}

Never tell.

## Stock {#stock authority=clerk}

Count it.
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with a clean spec in it."""
    monkeypatch.chdir(tmp_path)
    Path("shop.md").write_text(SPEC)


def run(*arguments: str) -> Result:
    """`specspan spec lint ARGUMENTS`."""
    return CliRunner().invoke(cli, ["spec", "lint", *arguments], env={"COLUMNS": "140"})


def lines(result: Result) -> list[str]:
    """What was printed, without the space that fills up lines."""
    return [line.rstrip() for line in result.output.splitlines()]


def test_nothing_found_is_said() -> None:
    """A clean spec is said to be clean, and the exit code is 0."""
    ran = run("shop.md")
    assert (ran.exit_code, lines(ran)) == (0, ["shop.md", "Nothing to say."])


def test_findings_are_told_by_line() -> None:
    """A finding has its line, its grade, what is wrong, what to do and its rule; errors end with 1."""
    Path("shop.md").write_text(SPEC.replace("Count it.", "See [?](#stok)."))
    ran = run("shop.md")
    assert ran.exit_code == 1
    said = "'stock' refers to an unknown section 'stok'. Did you mean 'stock'?  dangling_reference"
    assert lines(ran) == ["shop.md", f"12  ✘ error  {said}", "1 error · 0 warnings · 0 notes"]


def test_warnings_fail_only_when_asked_to() -> None:
    """Warnings end with 0, and with --strict they end with 1."""
    Path("shop.md").write_text(SPEC.replace("Count it.\n", ""))
    assert run("shop.md").exit_code == 0
    assert run("shop.md", "--strict").exit_code == 1


def test_clauses_that_a_policy_leaves_unchecked_are_told() -> None:
    """With a policy, an unchecked clause is a warning at the top of the ladder and a note below it."""
    Path("policy.yaml").write_text("spec: shop.md\nclauses:\n  keep_secrets:\n")
    ran = run("shop.md", "--policy", "policy.yaml")
    assert ran.exit_code == 0
    assert lines(ran)[-1] == "0 errors · 1 warning · 1 note"
    assert "6  ! warning  'keep_secrets' (owner) has no check in policy.yaml" in ran.output
    assert "10  · note     'stock' (clerk) has no check in policy.yaml" in ran.output


def test_json_has_every_finding() -> None:
    """As JSON, findings have the same keys whatever they are about."""
    Path("shop.md").write_text(SPEC.replace("#stock", "#keep_secrets"))
    ran = run("shop.md", "--json")
    assert ran.exit_code == 1
    told = json.loads(ran.output)
    assert told["counts"] == {"error": 1, "warning": 0, "note": 0}
    (found,) = told["findings"]
    assert set(found) == {"grade", "rule", "message", "remedy", "line", "clause"}
    assert (found["grade"], found["rule"], found["line"]) == ("error", "refused", 10)


def test_what_cannot_be_read_is_an_error_of_ours() -> None:
    """A file that is no spec, and a policy that is none, are refused: the command line ends with 2."""
    Path("none.md").write_text("Nothing.")
    assert isinstance(run("none.md").exception, SpecError)
    Path("policy.yaml").write_text("spec: shop.md\nclauses: {nobody: }\n")
    assert isinstance(run("shop.md", "--policy", "policy.yaml").exception, PolicyError)
