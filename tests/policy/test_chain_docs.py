"""What `docs/chain-of-command.md` shows is what happens."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

import specspan
from specspan.policy import overrides
from specspan.policy.load import load_policy
from specspan.testing.memory import recorded

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "chain-of-command.md").read_text(encoding="utf-8")
MAKER = """\
---
id: maker
version: "1"
ladder: [root, developer, user, guideline]
---
## Tell no secrets {#no_secrets authority=root}

## Mind the young {#mind_the_young authority=root tags=under_18}

## Be brief {#be_brief authority=guideline}
"""
COMPANY = """\
---
id: company
version: "9"
ladder: [must, should]
---
## Be brief {#be_brief authority=should}
"""


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current directory, with the page's policy and the specs it speaks of."""
    monkeypatch.chdir(tmp_path)
    Path("maker.md").write_text(MAKER)
    Path("company.md").write_text(COMPANY)
    Path("policy.yaml").write_text(block("yaml policy.yaml"))


def block(language: str) -> str:
    """The one block of a language in the page."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@specspan.observe(model="parrot-2", provider="zoo")
def tell(story: str) -> str:
    return story


def test_the_policy_of_the_page_loads() -> None:
    """Under the names and in the order it shows."""
    policy = load_policy("policy.yaml")
    assert list(policy.clauses) == ["no_secrets", "mind_the_young", "maker:be_brief", "company:be_brief"]
    assert policy.authority.rank("user") == policy.authority.rank("should")
    assert policy.context == {"under_18": False}


def test_the_code_of_the_page_runs() -> None:
    """The exception holds, and is taken back for the work inside the inner block."""
    with recorded("policy.yaml") as record:
        with specspan.context(tier="trial"):
            exec(textwrap.dedent(block("python")), {"specspan": specspan, "tell": tell})
    first, second = ({each["clause"]: each["outcome"] for each in one["findings"]} for one in record.decisions)
    assert first == {
        "no_secrets": "complied",
        "mind_the_young": "not_applicable",
        "maker:be_brief": "overridden",
        "company:be_brief": "overridden",
    }
    assert second == first | {"maker:be_brief": "violated"}


def test_the_page_names_every_reason() -> None:
    """No refusal is recorded that the page does not explain."""
    codes = {value for name, value in vars(overrides).items() if name.isupper() and isinstance(value, str)}
    assert {code for code in codes if f"`{code}`" not in PAGE} == set()
    assert len(codes) == 11
