"""Plan of checks for a whole spec, and what its judges are expected to read and write."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.policy.judge_plan import ANSWER_TOKENS, estimate_load, plan_checks
from specspan.spec.read import load_spec
from specspan.spec.spec import Spec

SPEC = """# Desk {#desk}

## Chain {#chain}

### Act within an agreed-upon scope of autonomy {#scope_of_autonomy authority=root}

Use the tools that were agreed on.

### Control side effects {#side_effects authority=root}

Delete nothing.

### Protect privacy {#protect_privacy authority=root}

Never say a number of a person.

### Be kind {#be_kind authority=user}

Be kind to everybody.

### Be brief {#be_brief authority=guideline}

Use few words.
"""


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    """Spec with a clause of each kind."""
    path = tmp_path / "desk.md"
    path.write_text(SPEC)
    return load_spec(path)


def test_every_clause_has_the_cheapest_check_that_can_decide_it(spec: Spec) -> None:
    """A rule where there is one, and a judge that looks at more calls the higher the clause stands."""
    plan = plan_checks(spec, "openai:gpt-5-mini")
    assert [(id_, each.kind, each.configuration.get("stage"), each.sample) for id_, each in plan.items()] == [
        ("scope_of_autonomy", "scope", None, 1.0),
        ("side_effects", "judge", "tool_call", 0.2),
        ("protect_privacy", "judge", "output", 0.2),
        ("be_kind", "judge", "output", 0.1),
        ("be_brief", "judge", "output", 0.02),
    ]


def test_judges_of_one_call_share_a_request(spec: Spec) -> None:
    """One in five calls is asked about, and one in fifty of those with a tool call, once more."""
    plan = plan_checks(spec, "openai:gpt-5-mini")
    load = estimate_load(spec, plan, call_tokens=1000, tool_call_share=0.1)
    assert load.requests == pytest.approx(0.2 + 0.2 * 0.1)
    assert load.answers == pytest.approx(0.2 + 0.1 + 0.02 + 0.02)
    assert load.output_tokens == pytest.approx(load.answers * ANSWER_TOKENS)
    longer = estimate_load(spec, plan, call_tokens=2000, tool_call_share=0.1)
    assert longer.input_tokens - load.input_tokens == pytest.approx(1000 * load.requests)
