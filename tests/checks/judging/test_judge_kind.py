"""Judges that a policy cannot have."""

from __future__ import annotations

from pathlib import Path

import pytest
from judged import write_policy

from specspan.errors import PolicyError
from specspan.policy.load import load_policy

BUDGET = "samples: 3, budget: {calls_per_minute: 9, calls_per_day: 2}"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (BUDGET, "a budget of 2 calls never suffices for 3 samples"),
        ("endpoint: 'http://h/v1#sk-abc'", "an endpoint with credentials would be recorded"),
        ("endpoint: 'http://h/v1?key=sk-abc'", "an endpoint with credentials would be recorded"),
        ("endpoint: 'http://h:99999/v1'", "the endpoint is not an address"),
        ("endpoint: 'ftp://h/v1'", "the endpoint is not an address"),
    ],
)
def test_a_judge_that_could_never_be_asked_is_refused(tmp_path: Path, keys: str, message: str) -> None:
    """The policy says so when it is loaded, and not the calls that are never judged."""
    path = write_policy(tmp_path, {"protect_privacy": [f"judge: {{model: 'openai:gpt-5-mini', {keys}}}"]})
    with pytest.raises(PolicyError, match=message):
        load_policy(path)
