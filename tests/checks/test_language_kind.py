"""`language`: the user's, or one of a list."""

from __future__ import annotations

from typing import Any

import pytest
from ready_made import build, conversation, decide

from specspan.checks.check import CheckConfigError
from specspan.decision import Outcome

GERMAN = "Ihre Bestellung hat unser Lager am Montag verlassen und kommt bis zum Ende der Woche an."
ENGLISH = "Your order left our warehouse on Monday and will arrive by the end of the week."
JAPANESE = "ご注文の商品は月曜日に倉庫を出ました。"
CODE = "```python\nfor number in range(10):\n    print(number)\n```"


@pytest.mark.parametrize(
    ("user", "answer", "outcome", "reason"),
    [
        (GERMAN, GERMAN, Outcome.COMPLIED, None),
        (GERMAN, ENGLISH, Outcome.VIOLATED, "other_language"),
        (ENGLISH, JAPANESE, Outcome.VIOLATED, "other_language"),
        (JAPANESE, JAPANESE, Outcome.COMPLIED, None),
        (GERMAN, f"{GERMAN}\n{CODE}", Outcome.COMPLIED, None),
        (GERMAN, CODE, Outcome.NOT_APPLICABLE, None),
        ("ok", ENGLISH, Outcome.NOT_APPLICABLE, None),
        ("Vil du ha en kopp kaffe til, min venn", ENGLISH, Outcome.UNCERTAIN, "users_language_uncertain"),
    ],
)
def test_an_answer_is_in_the_users_language(user: str, answer: str, outcome: Outcome, reason: str | None) -> None:
    """Code is no prose, and a few letters say nothing."""
    finding = decide(build("language"), conversation(answer, user=user))
    assert (finding.outcome, finding.reason) == (outcome, reason)


def test_an_answer_is_in_one_of_the_languages_of_a_list() -> None:
    """Whatever the user speaks."""
    check = build("language", ["de", "fr"])
    assert decide(check, conversation(GERMAN, user=ENGLISH)).outcome is Outcome.COMPLIED
    finding = decide(check, conversation(ENGLISH, user=ENGLISH))
    assert (finding.outcome, finding.explanation) == (Outcome.VIOLATED, "en, not de or fr")


@pytest.mark.parametrize(
    ("configuration", "message"), [(["xx"], "unknown language 'xx'"), ({"stage": "input"}, "compared with the user")]
)
def test_what_cannot_be_decided_is_refused(configuration: Any, message: str) -> None:
    """When the policy is loaded."""
    with pytest.raises(CheckConfigError, match=message):
        build("language", configuration)
