"""Policies of the enforcement table, written as files."""

from __future__ import annotations

import atexit
import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from enforcement_table import WORD

import specspan
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.testing import recorded

CLAUSE = "keep_secrets"
MARKER = "[redacted:word]"
REPLACEMENT = "(withheld)"

_SPEC = "# Rules {#rules}\n\n## Keep secrets {#keep_secrets authority=user}\n\nDo not say the word.\n"


def policy(action: str, clause: Mapping[str, Any], pattern: Mapping[str, Any]) -> Policy:
    """Return the policy of `policy_file`, loaded once; one that is refused is refused each time."""
    return _loaded(policy_file(action, clause, pattern))


@cache
def _loaded(path: Path) -> Policy:
    return load_policy(path)


def policy_file(action: str, clause: Mapping[str, Any], pattern: Mapping[str, Any], mode: str = "enforce") -> Path:
    """Return the path of a policy with one clause that forbids the word in texts and in tool calls."""
    return _written(action, json.dumps(clause, sort_keys=True), json.dumps(pattern, sort_keys=True), mode)


@cache
def _written(action: str, clause: str, pattern: str, mode: str) -> Path:
    check = {"any": [WORD], "reason": "word"} | json.loads(pattern)
    failure = "open" if action.startswith("open") else "closed"
    bound = {
        "action": action.removeprefix("open"),
        "on_error": failure,
        **({"on_unread": failure} if is_known("on_unread") else {}),
        "replacement": REPLACEMENT,
        "checks": [{"pattern": check | {"stage": stage}} for stage in ("output", "tool_call")],
    } | json.loads(clause)
    return _file(bound, mode)


@cache
def is_known(key: str) -> bool:
    """Return whether a clause of a policy may have this key."""
    try:
        with recorded(_file({key: "open"}, "enforce")):
            return True
    except specspan.PolicyError:
        return False


def _file(bound: Mapping[str, Any], mode: str) -> Path:
    (folder := _folder() / str(len(list(_folder().iterdir())))).mkdir()
    (folder / "rules.md").write_text(_SPEC, encoding="utf-8")
    path = folder / "policy.yaml"
    text = yaml.safe_dump({"spec": "rules.md", "mode": mode, "clauses": {CLAUSE: bound}}, allow_unicode=False)
    path.write_text(text, encoding="utf-8")
    return path


@cache
def _folder() -> Path:
    made = tempfile.TemporaryDirectory(prefix="enforcement-", ignore_cleanup_errors=True)
    atexit.register(made.cleanup)
    return Path(made.name)
