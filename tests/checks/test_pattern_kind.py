"""`pattern`: what a text must not, or must, contain."""

from __future__ import annotations

import pytest

from specspan.call import ModelCall, Request
from specspan.checks.check import Check, CheckConfigError, TextAt
from specspan.checks.kinds.pattern import MAX_EVIDENCE
from specspan.checks.registry import kinds
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage

CALL = ModelCall(Request("openai"))


def build(configuration: object) -> Check:
    return kinds()["pattern"].build("privacy", configuration)


def at(text: str, pointer: str = "/output/0/parts/0", role: str = "assistant") -> TextAt:
    return TextAt(pointer, role, text)


def test_a_hit_is_a_violation_that_points_at_it() -> None:
    """A hit of `any` violates the clause, with the policy's reason and where it stands."""
    check = build({"any": [r"\b\d{3}-\d{2}-\d{4}\b"], "reason": "ssn"})
    assert check.decide(CALL, [at("My number is 078-05-1120.")]) == Finding(
        Outcome.VIOLATED, "ssn", evidence=(Evidence("/output/0/parts/0", 13, 24),)
    )


def test_no_hit_complies() -> None:
    """A text without a hit complies."""
    assert build(r"\bfoo\b").decide(CALL, [at("food")]) is True


def test_a_check_says_what_it_is() -> None:
    """Name, kind, version, stage and prefilter are there for the record and the engine."""
    check = build({"stage": "input", "any": ["a"], "ignore_case": True, "version": "2"})
    assert (check.ref, check.traits.stage, check.traits.prefilter, check.traits.timeout_s) == (
        CheckRef("privacy", CheckMechanism.PATTERN, "2"),
        Stage.INPUT,
        ("(?i)a",),
        None,
    )


def test_input_checks_read_what_users_and_tools_say() -> None:
    """The application's own instructions are not held against the user, unless `roles` asks for it."""
    check = build({"stage": "input", "any": ["a"]})
    roles = ("system", "developer", "user", "assistant", "tool")
    assert [role for role in roles if check.traits.reads(role)] == ["user", "tool"]
    assert build({"stage": "input", "any": ["a"], "roles": ["system"]}).traits.reads("system")


def test_required_text_must_stand_in_every_message() -> None:
    """With two choices, a disclaimer in one of them does not speak for the other."""
    check = build({"require": ["not legal advice"]})
    with_it, without = at("Sue. This is not legal advice."), at("Sue.", "/output/1/parts/0")
    assert check.decide(CALL, [with_it]) is True
    assert check.decide(CALL, [with_it, without]) == Finding(Outcome.VIOLATED, "required_text_absent")
    assert check.traits.prefilter == ()


def test_a_refused_pattern_is_named_by_its_place() -> None:
    """The refusal says which pattern of the list is meant."""
    with pytest.raises(CheckConfigError) as refusal:
        build({"any": ["fine", "(?=not)"]})
    assert refusal.value.key == "any.1"


@pytest.mark.parametrize("configuration", [{}, {"any": ["a"], "require": ["b"]}])
def test_a_check_either_forbids_or_requires(configuration: object) -> None:
    """A configuration with neither or both is refused."""
    with pytest.raises(CheckConfigError, match="either `any` or `require`"):
        build(configuration)


def test_what_a_growing_text_must_contain_cannot_be_asked() -> None:
    """The first chunk would violate it; the remedy is the stage at which all of the answer is there."""
    with pytest.raises(CheckConfigError) as refusal:
        build({"stage": "stream", "require": ["a"]})
    assert (refusal.value.key, "`output`" in refusal.value.remedy) == ("stage", True)


def test_evidence_is_bounded() -> None:
    """A text full of hits makes no finding without end."""
    finding = build({"any": ["a", "b", "c", "d", "e", "f"]}).decide(CALL, [at("abcdef" * 1000)])
    assert isinstance(finding, Finding)
    assert len(finding.evidence) == MAX_EVIDENCE


def test_a_place_is_evidence_once() -> None:
    """Two patterns, or two matches in what was one character, point at one place."""
    two_patterns = build({"any": ["secret", "secre[t]"]}).decide(CALL, [at("a secret")])
    one_character = build({"any": ["f"], "normalise": True}).decide(CALL, [at("o\ufb00er")])  # the ligature of two f
    assert isinstance(two_patterns, Finding)
    assert isinstance(one_character, Finding)
    assert [(each.start, each.end) for each in two_patterns.evidence] == [(2, 8)]
    assert [(each.start, each.end) for each in one_character.evidence] == [(1, 2)]
