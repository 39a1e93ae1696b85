"""`specspan policy coverage`: what it prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from specspan.cli.main import cli
from specspan.errors import PolicyError

SPEC = """\
---
id: shop
ladder: [owner, manager, clerk]
---
# Shop {#shop}

## Keep secrets {#keep_secrets authority=owner}

Never tell.

## Be polite {#be_polite authority=clerk}

Mostly.

## Count {#count authority=clerk}

Daily.
"""

POLICY = """\
spec: shop.md
clauses:
  keep_secrets:
    checks:
      - pattern: {any: [secret], stage: input}
      - pattern: {any: [secret]}
      - pattern: {any: [hidden]}
  be_polite:
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with a spec and a policy in it."""
    monkeypatch.chdir(tmp_path)
    Path("shop.md").write_text(SPEC)
    Path("policy.yaml").write_text(POLICY)


def run(*arguments: str) -> Result:
    """`specspan policy coverage ARGUMENTS`."""
    return CliRunner().invoke(cli, ["policy", "coverage", *arguments], env={"COLUMNS": "100"})


def lines(result: Result) -> list[str]:
    """What was printed, without the space that fills up lines."""
    return [line.rstrip() for line in result.output.splitlines()]


def test_every_clause_is_shown_with_what_looks_at_it() -> None:
    """Checked clauses have kinds and stages, all others are unassessed, and none is said to comply."""
    ran = run("policy.yaml")
    assert ran.exit_code == 0
    assert lines(ran) == [
        "clause        authority  checks                            title",
        "keep_secrets  owner      pattern input, pattern output ×2  Keep secrets",
        "be_polite     clerk      ? unassessed                      Be polite",
        "count         clerk      ? unassessed                      Count",
        "",
        f"owner  {'█' * 20}  1 of 1",
        f"clerk  {'░' * 20}  0 of 2",
        "by check: pattern input 1 clause, pattern output 1 clause",
        "Checked: 1 of 3 clauses. Unassessed on every call: 2.",
    ]
    assert "complied" not in ran.output


def test_a_bar_is_full_only_where_all_is_checked() -> None:
    """One clause of many shows, and so does one that is missing."""
    ids = [f"c{n}" for n in range(100)]
    Path("shop.md").write_text("# Shop {#shop}\n" + "".join(f"## C {{#{id_} authority=root}}\n\nx\n\n" for id_ in ids))
    check = "checks: [{pattern: {any: [x]}}]"
    for bound, filled in ((1, 1), (99, 19)):
        entries = "".join(f"  {id_}: {{{check}}}\n" for id_ in ids[:bound])
        Path("policy.yaml").write_text(f"spec: shop.md\nclauses:\n{entries}")
        assert f"root  {'█' * filled}{'░' * (20 - filled)}  {bound} of 100" in lines(run("policy.yaml"))


def test_json_has_every_clause() -> None:
    """As JSON, every binding clause says whether it is checked and by what, and the counts are those of the table."""
    told = json.loads(run("policy.yaml", "--json").output)
    assert told["counts"] == {
        "binding": 3,
        "named": 2,
        "checked": 1,
        "unassessed": 2,
        "by_level": {
            "owner": {"binding": 1, "checked": 1},
            "manager": {"binding": 0, "checked": 0},
            "clerk": {"binding": 2, "checked": 0},
        },
        "by_check": [
            {"kind": "pattern", "stage": "input", "clauses": 1},
            {"kind": "pattern", "stage": "output", "clauses": 1},
        ],
    }
    secrets, polite, count = told["clauses"]
    assert secrets["checks"][1] == {"kind": "pattern", "stage": "output", "count": 2}
    assert (polite["named"], polite["checked"], polite["checks"]) == (True, False, [])
    assert (count["named"], count["checked"]) == (False, False)


def test_own_checks_are_imported_first() -> None:
    """A policy with a check of the user's own is covered by it once its module is imported."""
    Path("polite.py").write_text(
        "import specspan\n\n@specspan.check('greets', stage='output')\ndef greets(call):\n    return True\n"
    )
    Path("policy.yaml").write_text("spec: shop.md\nclauses:\n  be_polite: {checks: [{code: greets}]}\n")
    assert isinstance(run("policy.yaml").exception, PolicyError)
    assert "be_polite     clerk      code output" in run("policy.yaml", "--import", "polite").output


def test_a_broken_policy_is_refused() -> None:
    """A policy that cannot be loaded has no coverage; the command line ends with 2."""
    Path("policy.yaml").write_text("spec: shop.md\nclauses: {nobody: }\n")
    assert isinstance(run("policy.yaml").exception, PolicyError)
