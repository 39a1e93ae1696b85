"""What `docs/policy-tests.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from documents import ROOT
from specspan.cli.main import cli

POLICY_PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "policy-tests.md").read_text(encoding="utf-8")
SPEC = """\
# Support {#support}

## Protect account numbers {#protect_account_numbers authority=root}

## Stay polite {#stay_polite authority=user}

## Be concise {#be_concise authority=developer}
"""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy of the page about policies, and the tests of this one."""
    monkeypatch.chdir(tmp_path)
    Path("support.md").write_text(SPEC)
    Path("policy.yaml").write_text(blocks(POLICY_PAGE, "yaml")[0])
    (tests,) = blocks(PAGE, "yaml")
    Path("tests.yaml").write_text(tests)


def printed(*arguments: str) -> str:
    """What `specspan policy test` prints, without the space that fills up lines."""
    result = CliRunner().invoke(cli, ["policy", "test", *arguments], env={"COLUMNS": "120"})
    return "".join(f"{line.rstrip()}\n" for line in result.output.splitlines())


def test_the_example_passes_as_shown() -> None:
    """The page's tests hold under the policy that `docs/policy.md` shows."""
    passing, _ = blocks(PAGE, "console")
    assert printed("tests.yaml") == passing.partition("\n")[2]


def test_the_failure_is_what_is_printed() -> None:
    """With a pattern that misses the number, the first test fails in just these words."""
    policy = Path("policy.yaml")
    policy.write_text(policy.read_text().replace(r"-\d{4}\b", r"-\d{5}\b"))
    _, failing = blocks(PAGE, "console")
    assert printed("tests.yaml", "-k", "withheld") == failing.partition("\n")[2]
