"""Loading a text as a policy, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from specspan.checks.check import CheckKindModule
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy


def load(text: str, kinds: Mapping[str, CheckKindModule] | None = None) -> Policy:
    """Load text as the file ``policy.yaml`` of the current directory."""
    Path("policy.yaml").write_text(text, encoding="utf-8")
    return load_policy("policy.yaml", kinds=kinds)


def refused(text: str, kinds: Mapping[str, CheckKindModule] | None = None) -> str:
    """What a refused policy is told."""
    with pytest.raises(PolicyError) as error:
        load(text, kinds)
    return str(error.value)
