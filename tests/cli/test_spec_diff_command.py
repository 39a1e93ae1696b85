"""`specspan spec diff`: what it prints, and what it ends with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Ended, run_command
from rich.console import Console

from specspan.cli.spec_commands.spec_diff import diff_view
from specspan.spec.diff import diff
from specspan.spec.read import load_spec

OLD = """\
---
id: shop
ladder: [owner, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner}

Hide another customer bought. LONG

## Be polite {#be_polite authority=clerk}

Greet everybody.

## Stock {#stock authority=clerk tags=eu}

Count it.
""".replace("LONG", "Not now. " * 30)

NEW = (
    OLD.replace("another customer", "other people")
    .replace("## Be polite {#be_polite authority=clerk}\n\nGreet everybody.\n", "## Prices {#prices authority=owner}\n")
    .replace("authority=clerk tags=eu", "authority=owner tags=us")
    .replace("Count it.", "Count it.\n\n**Example**: asking\n\n~~~xml\n<user>\nHow many?\n</user>\n~~~")
)

POLICY = """\
spec: old.md
clauses:
  be_polite:
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, with two versions and a policy in it."""
    monkeypatch.chdir(tmp_path)
    Path("old.md").write_text(OLD)
    Path("new.md").write_text(NEW)
    Path("policy.yaml").write_text(POLICY)
    return tmp_path


def run(*arguments: str) -> Ended:
    """Run `specspan spec diff ARGUMENTS` in this process."""
    return run_command("spec", "diff", *arguments, COLUMNS="150")


def lines(output: str) -> list[str]:
    """What was printed, without the space that fills up lines."""
    return [line.rstrip() for line in output.splitlines()]


def test_a_diff_is_told_clause_by_clause() -> None:
    """A summary with counts comes first, then every clause that differs with what differs in it."""
    ran = run("old.md", "new.md")
    assert (ran.returncode, ran.stderr) == (0, "")
    said = lines(ran.stdout)
    counts = "(authority 1, tags 1, text 1, examples 1)"
    assert said[2] == f"1 added · 1 removed · 2 changed · 1 unchanged  {counts}"
    assert said[4:6] == [
        "~ keep_secrets  Keep secrets  owner",
        "    text  Hide [-another customer-]{+other people+} bought. " + "Not now. " * 6 + "Not",
    ]
    assert said[6].endswith(" ⋯")
    assert said[7:] == [
        "",
        "− be_polite  Be polite  clerk",
        "",
        "+ prices  Prices  owner",
        "",
        "~ stock  Stock  owner",
        "    authority  clerk → owner",
        "    tags       −eu  +us",
        "    examples   + asking",
    ]


def test_two_equal_versions_differ_in_nothing() -> None:
    """The same text twice is said to differ in nothing; another layout is told from that."""
    Path("laid-out.md").write_text(OLD.replace("# Shop {#shop}\n", "# Shop {#shop}\n\n\n"))
    assert lines(run("old.md", "old.md").stdout)[-1] == "Nothing differs."
    assert lines(run("old.md", "laid-out.md").stdout)[-1] == "No clause differs; the bytes do."


def test_a_policy_that_needs_attention_ends_with_one() -> None:
    """A broken binding is told last, with its remedy, and the exit code is 1."""
    ran = run("old.md", "new.md", "--policy", "policy.yaml")
    assert ran.returncode == 1
    said = lines(ran.stdout)
    assert said[-3:] == [
        "New and not in the policy, so unassessed on every call: prices",
        "policy policy.yaml  1 broken · 0 stale",
        "✘ broken  clauses.be_polite  shop has no clause 'be_polite'. `specspan spec show new.md` lists the clauses.",
    ]


def test_an_environment_of_the_policy_is_looked_at() -> None:
    """What only production binds breaks only in production."""
    Path("policy.yaml").write_text(
        "spec: old.md\nclauses: {keep_secrets: }\nenvironments: {production: {clauses: {be_polite: {severity: low}}}}\n"
    )
    assert run("old.md", "new.md", "--policy", "policy.yaml").returncode == 0
    ran = run("old.md", "new.md", "--policy", "policy.yaml", "--environment", "production")
    assert ran.returncode == 1
    assert lines(ran.stdout)[-1].startswith("✘ broken  clauses.be_polite  shop has no clause 'be_polite'.")


def test_a_policy_that_needs_none_ends_with_zero() -> None:
    """A policy that the change does not touch is said to need no attention."""
    Path("policy.yaml").write_text("spec: old.md\nclauses:\n  keep_secrets:\n")
    ran = run("old.md", "new.md", "--policy", "policy.yaml")
    assert ran.returncode == 0
    assert lines(ran.stdout)[-1] == "policy policy.yaml  needs no attention"


def test_json_holds_the_diff_and_the_policy() -> None:
    """As JSON, everything that a person is told can be read by a program, and the exit code is the same."""
    ran = run("old.md", "new.md", "--policy", "policy.yaml", "--json")
    assert ran.returncode == 1
    told = json.loads(ran.stdout)
    assert told["counts"]["changed"] == 2
    assert told["policy"]["counts"] == {"broken": 1, "stale": 0}
    assert told["policy"]["attention"][0]["reason"] == "clause_removed"
    assert told["policy"]["unbound"] == ["prices"]
    assert json.loads(run("old.md", "new.md", "--json").stdout)["policy"] is None


@pytest.mark.parametrize("arguments", [("old.md", "none.md"), ("old.md", "new.md", "--policy", "none.yaml")])
def test_what_cannot_be_read_ends_with_two(arguments: tuple[str, ...]) -> None:
    """A missing file is named, and the exit code is 2."""
    ran = run(*arguments)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert f"specspan: {arguments[-1]}: no such file" in ran.stderr


def test_editions_are_named_as_policies_name_them(model_specs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A published edition that is on this machine can be compared by its name and version."""
    monkeypatch.setenv("SPECSPAN_SPECS", str(model_specs))
    ran = run("openai-model-spec@2025-12-18", "openai-model-spec@2025-12-18-rev2")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "0 added · 0 removed · 1 changed · 79 unchanged  (text 1)" in ran.stdout


def test_a_page_is_written_beside_what_is_printed() -> None:
    """With --html the page is written, over an earlier one too; where it cannot be, that is said and ends with 2."""
    Path("page.html").write_text("earlier")
    ran = run("old.md", "new.md", "--html", "page.html")
    assert (ran.returncode, ran.stderr) == (0, "Wrote page.html.\n")
    assert Path("page.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "keep_secrets" in ran.stdout
    ran = run("old.md", "new.md", "--html", "none/page.html")
    assert ran.returncode == 2
    assert "none/page.html cannot be written" in ran.stderr


def test_words_are_coloured_where_there_are_colours() -> None:
    """On a terminal, words that go are struck out and words that come are bold; no brackets stand around them."""
    out = Console(width=120, force_terminal=True, color_system="standard", highlight=False)
    with out.capture() as captured:
        out.print(diff_view(diff(load_spec("old.md"), load_spec("new.md")), None, colours=True))
    said = captured.get()
    assert "\x1b[9;31manother customer" in said
    assert "\x1b[1;32mother people" in said
    assert "[-" not in said


def test_a_text_cannot_steer_the_terminal() -> None:
    """Escapes in a spec are shown as signs, wherever they stand."""
    hostile = (
        NEW.replace("other people", "other \x1b[2J people")
        .replace("asking", "\x1b[31masking")
        .replace("=us", "=\x1b[1m")
    )
    Path("new.md").write_text(hostile.replace("Keep secrets", "Keep \x1b[5m secrets"))
    ran = run("old.md", "new.md")
    assert ran.returncode == 0
    assert "\x1b" not in ran.stdout
