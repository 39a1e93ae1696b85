"""When a clause has a bearing on a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from specspan.call import CallContext, ModelCall, Request, Scalar
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.policy.policy import ALWAYS, Condition, Policy, condition_from_facts, condition_from_tags


def call(**facts: Scalar) -> ModelCall:
    return ModelCall(Request("openai", model="gpt-5-mini"), context=CallContext(attributes=facts))


@pytest.mark.parametrize(
    ("when", "facts", "reason"),
    [
        ({}, {}, None),
        ({"beta": True}, {"beta": True}, None),
        ({"beta": True}, {"beta": False}, "other_context"),
        ({"beta": True}, {}, "unknown_context"),
        ({"beta": False}, {"beta": False}, None),
        ({"region": ["de", "at"]}, {"region": "at"}, None),
        ({"region": ["de", "at"]}, {"region": "ch"}, "other_context"),
        ({"region": "*"}, {"region": "ch"}, "other_context"),
        ({"beta": True, "region": "de"}, {"region": "ch"}, "other_context"),
        ({"beta": True, "region": "de"}, {"region": "de"}, "unknown_context"),
        ({"age": 12}, {"age": 12.0}, None),
        ({"provider": "openai"}, {}, None),
        ({"provider": "anthropic"}, {"provider": "anthropic"}, "other_context"),
        ({"operation": ["chat", "embeddings"]}, {}, None),
        ({"model": "gpt-5*"}, {}, None),
        ({"model": "gpt-4*"}, {}, "other_context"),
    ],
)
def test_every_fact_has_to_fit(when: dict[str, Any], facts: dict[str, Scalar], reason: str | None) -> None:
    """A fact that is another outweighs one that is unknown; provider, operation and model are the call's own."""
    assert condition_from_facts(when).unmet_reason(call(**facts), {}) == reason


def test_what_the_policy_assumes_holds_until_the_application_says_otherwise() -> None:
    """A fact that nobody gave is what the policy assumes; one that was given is as it was given."""
    condition = condition_from_tags(("under_18",))
    assert condition.unmet_reason(call(), {"under_18": True}) is None
    assert condition.unmet_reason(call(under_18=False), {"under_18": True}) == "other_context"
    assert condition.unmet_reason(None, {"under_18": True}) is None


def test_a_model_that_is_not_named_is_unknown() -> None:
    """A call without a model meets no condition about one."""
    assert condition_from_facts({"model": "*"}).unmet_reason(ModelCall(Request("openai")), {}) == "unknown_context"


@pytest.fixture
def house_rules(house: Path) -> Path:
    """A house in which one clause is for visits of children."""
    text = Path("house.md").read_text().replace("{#be_brief authority=guest}", "{#be_brief authority=guest tags=child}")
    Path("house.md").write_text(text)
    return house


def load(text: str) -> Policy:
    Path("policy.yaml").write_text(f"spec: house.md\n{text}")
    return load_policy("policy.yaml")


@pytest.mark.usefixtures("house_rules")
def test_a_clauses_tags_are_conditions_unless_the_policy_says_when() -> None:
    """What a policy says of a clause takes the place of its tags; saying nothing of facts makes it hold always."""
    assert load("clauses: {be_brief: , lock_door: }\n").clauses["be_brief"].when == condition_from_tags(("child",))
    assert load("clauses: {lock_door: }\n").clauses["lock_door"].when == ALWAYS
    assert load("clauses: {be_brief: {when: {}}}\n").clauses["be_brief"].when == ALWAYS
    said = load("clauses: {be_brief: {when: {hour: [22, 23], model: x*}}}\n").clauses["be_brief"].when
    assert said == Condition((("hour", (22, 23)), ("model", ("x*",))))


@pytest.mark.usefixtures("house_rules")
def test_a_policy_may_assume_facts_of_one_environment() -> None:
    """They are put together key by key, as the rest of it."""
    text = "context: {child: false, night: false}\nenvironments: {school: {context: {child: true}}}\n"
    assert load(text).context == {"child": False, "night": False}
    assert load_policy("policy.yaml", environment="school").context == {"child": True, "night": False}


@pytest.mark.usefixtures("house_rules")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "clauses: {be_brief: {when: {child: }}}\n",
            "policy.yaml:2: clauses.be_brief.when.child: nothing is not a fact. Write true, false, a number or text.",
        ),
        (
            "clauses: {be_brief: {when: {child: []}}}\n",
            "policy.yaml:2: clauses.be_brief.when.child: an empty list is never met. List the values it may have.",
        ),
        (
            "clauses: {be_brief: {when: child}}\n",
            ("policy.yaml:2: clauses.be_brief.when: 'child' is not a mapping. Write 'key: value' lines under it."),
        ),
        (
            "context: {child: [true]}\n",
            "policy.yaml:2: context.child: a list is not a fact. Write true, false, a number or text.",
        ),
    ],
)
def test_facts_that_are_none_are_refused(text: str, said: str) -> None:
    """With line, key and remedy."""
    with pytest.raises(PolicyError) as refused:
        load(text)
    assert str(refused.value) == said
