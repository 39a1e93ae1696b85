"""`citations`: sources are among the documents, and quotations stand in them."""

from __future__ import annotations

import pytest
from ready_made import build, conversation, decide

from specspan.checks.check import CheckConfigError
from specspan.decision import Outcome

RESULTS = (
    {"id": "faq", "text": "Refunds take up to five business days after we receive the goods."},
    "Shipping is free over 50 euros: https://shop.example/shipping",
)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Refunds take five days [1], shipping is free [1, 2].", None),
        ("It is so [3].", "unknown_source"),
        ("It is so 【2†source】, and so 【9†source】.", "unknown_source"),
        ("See [doc:faq].", None),
        ("See [doc:faq] and [doc:terms].", "unknown_source"),
        ("See https://shop.example/shipping.", None),
        ("See https://shop.example/other.", "unknown_source"),
        ("See [the page](https://www.shop.example/shipping/).", None),
        ('It says "up to five business days after" that.', None),
        ('It says "UP TO FIVE  business days, after" that.', None),
        ("It says “Refunds take … after we receive the goods”.", None),
        ('It says "ten business days after we receive".', "quotation_not_found"),
        ('The "ten days" are over.', None),
        ("array[7] = x", "unknown_source"),
    ],
)
def test_sources_and_quotations(answer: str, reason: str | None) -> None:
    """Named as people name them, quoted with gaps, whatever the case and the punctuation."""
    assert decide(build("citations"), conversation(answer, results=RESULTS)).reason == reason


def test_documents_in_the_input_count() -> None:
    """Marked as elements, with ids of their own."""
    user = '<document id="terms">Goods are sent on Monday morning.</document><document id="x">No.</document> When?'
    check = build("citations")
    assert (
        decide(check, conversation("“sent on Monday morning” [doc:terms] [2]", user=user)).outcome is Outcome.COMPLIED
    )
    assert decide(check, conversation("“sent on Friday morning” [3]", user=user)).reason == "unknown_source"


def test_without_documents_the_clause_does_not_apply() -> None:
    """There is nothing to cite."""
    assert decide(build("citations"), conversation("It is so [3].")).outcome is Outcome.NOT_APPLICABLE


def test_a_source_can_be_required() -> None:
    """Somewhere in the answer."""
    check = build("citations", {"look": ["presence"]})
    assert decide(check, conversation("Five days.", results=RESULTS)).reason == "no_source"
    assert decide(check, conversation("Five days [1].", results=RESULTS)).outcome is Outcome.COMPLIED


def test_a_question_cites_nothing() -> None:
    """The stage is the answer's."""
    with pytest.raises(CheckConfigError):
        build("citations", {"stage": "input"})
