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


@pytest.mark.parametrize(
    ("threshold", "message"),
    [
        ("0", "threshold: every call would count as violated"),
        ("-0.0", "threshold: every call would count as violated"),
        ("-1", "threshold: every call would count as violated"),
        ("1.5", "threshold: no call would count as violated"),
        ("70", "threshold: no call would count as violated"),
        ("1e999", "threshold: it is not a number"),
        (".nan", "threshold: it is not a number"),
        (".inf", "threshold: it is not a number"),
        ("true", "threshold: it is not a number"),
        ("false", "threshold: it is not a number"),
        ("'0.7'", "threshold: it is not a number"),
        ("high", "threshold: it is not a number"),
        ("[0.7]", "threshold: it is not a number"),
        ("{violated: 0, complied: 0}", "threshold.violated: every call would count as violated"),
        ("{violated: 2, complied: 0}", "threshold.violated: no call would count as violated"),
        ("{violated: true, complied: 0}", "threshold.violated: it is not a number"),
    ],
)
def test_a_threshold_that_decides_nothing_is_refused(tmp_path: Path, threshold: str, message: str) -> None:
    """One sentence says where it stands and what to write, about the form that was meant alone."""
    path = write_policy(
        tmp_path, {"protect_privacy": [f"judge: {{model: 'openai:gpt-5-mini', threshold: {threshold}}}"]}
    )
    with pytest.raises(PolicyError, match=message) as refused:
        load_policy(path)
    assert str(refused.value).endswith("Write a number above 0 and at most 1, such as 0.7.")
    assert str(refused.value).count(".judge.threshold") == 1


@pytest.mark.parametrize(
    ("threshold", "missing"),
    [("{violated: 0.5}", {"complied"}), ("{agreement: 95%}", {"confidence"}), ("{}", {"violated", "complied"})],
)
def test_a_form_of_threshold_that_lacks_a_key_says_which(tmp_path: Path, threshold: str, missing: set[str]) -> None:
    """Keys of the other forms are not asked for."""
    path = write_policy(
        tmp_path, {"protect_privacy": [f"judge: {{model: 'openai:gpt-5-mini', threshold: {threshold}}}"]}
    )
    with pytest.raises(PolicyError) as refused:
        load_policy(path)
    keys = ("violated", "complied", "agreement", "confidence")
    assert {key for key in keys if f"'{key}' is missing" in str(refused.value)} == missing


@pytest.mark.parametrize("threshold", ["1", "0.001", "1.0", "{violated: 1, complied: 0}"])
def test_a_threshold_may_stand_at_the_top(tmp_path: Path, threshold: str) -> None:
    """A judge that is sure has a score of 1."""
    path = write_policy(
        tmp_path, {"protect_privacy": [f"judge: {{model: 'openai:gpt-5-mini', threshold: {threshold}}}"]}
    )
    assert load_policy(path).clauses["protect_privacy"].checks
