"""What `docs/scope-of-autonomy.md` shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from policies import bound, policy

import specspan
from specspan.checks.registry import kinds
from specspan.decision import Action
from specspan.scope.narrowing import Trust
from specspan.testing import recorded

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "scope-of-autonomy.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_scope_on_the_page_is_kept() -> None:
    """Under the policy shown, the refund shown runs and a larger one does not; what was spent was counted."""
    shown: dict[str, Any] = {}
    exec(compile(block("python"), "scope-of-autonomy.md", "exec"), shown)
    clause = yaml.safe_load(block("yaml"))["clauses"]["scope_of_autonomy"]
    ((kind, configuration),) = clause["checks"][0].items()
    check = kinds()[kind].build("scope_of_autonomy", configuration)
    with recorded(
        policy(bound("scope_of_autonomy", check, action=Action(clause["action"])), mode=specspan.Mode.ENFORCE)
    ):
        assert shown["answer"]() == "20 refunded"
        with specspan.context(scope=shown["scope"]):
            with pytest.raises(specspan.Blocked):
                shown["issue_refund"](51)
            for _ in range(25):
                shown["issue_refund"](1)
            with pytest.raises(specspan.Blocked, match="cost_limit_reached"):
                shown["issue_refund"](1)


def test_every_trust_is_explained() -> None:
    """The table names each, and no other."""
    listed = re.findall(r"^\| `(\w+)` \|", PAGE.partition("`specspan.scope.trust`")[2], re.MULTILINE)
    assert listed == [trust.value for trust in Trust]
