"""`pii`: personal data that are told by their form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import asked, bound, policy
from pydantic import ValidationError
from ready_made import build, find, reason_of, redact, stream
from stdnum import luhn

from specspan.checks.check import CheckConfigError
from specspan.checks.detectors.national_ids import NATIONAL_IDS
from specspan.decision import Action
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync

CARD = "4242 4242 4242 4242"
PII = build("pii")


@pytest.mark.parametrize(
    ("text", "reason", "found"),
    [
        (f"Card {CARD}.", "card", CARD),
        ("Card 4242-4242-4242-4242", "card", "4242-4242-4242-4242"),
        ("Karte ４２４２ ４２４２ ４２４２ ４２４２", "card", "４２４２ ４２４２ ４２４２ ４２４２"),
        ("Amex 3782 822463 10005 ok", "card", "3782 822463 10005"),
        ("IBAN DE89 3704 0044 0532 0130 00 bitte", "iban", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432", "iban", "GB82WEST12345698765432"),
        ("Write to Joe.Bloggs+x@mail.example.co.uk!", "email", "Joe.Bloggs+x@mail.example.co.uk"),
        ("пишите на почта@пример.рф", "email", "почта@пример.рф"),
        ("Ring +49 30 901820 now", "phone", "+49 30 901820"),
        ("Call 0044 20 7946 0018 now", "phone", "0044 20 7946 0018"),
        ("SSN 536-22-1234", "national_id", "536-22-1234"),
        ("BSN: 111222333", "national_id", "111222333"),
        ("DNI 12345678Z", "national_id", "12345678Z"),
        ("Lives at 350 Fifth Avenue, right?", "address", "350 Fifth Avenue"),
        ("wohnt Hauptstraße 12, 10115 Berlin", "address", "Hauptstraße 12, 10115 Berlin"),
        ("上海南京路100号见", "address", "上海南京路100号"),
    ],
)
def test_each_entity_is_found_where_it_stands(text: str, reason: str, found: str) -> None:
    """The evidence is the datum, neither more nor less."""
    assert (reason_of(PII, text), find(PII, text)) == (reason, [found])


@pytest.mark.parametrize(
    "text",
    [
        "Card 4242 4242 4242 4241",  # check digit
        "order 00424242424242424242420",  # part of a longer number
        "4242 4242 4242 4242 4242",
        "IBAN DE88 3704 0044 0532 0130 00",
        "version 1.2.3 of 2026-11-30, 12:30:00",
        "111222333",  # nine digits without a word that names them
        "SSN 078-05-1120",  # printed on a million wallets, and never valid
        "@example",
        "a@b",
        "five streets in 3 towns",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """Check digits, neighbours and words decide."""
    assert find(PII, text) == []


@given(st.integers(10**14, 10**15 - 1))
def test_no_number_with_a_wrong_check_digit_is_a_card(body: int) -> None:
    """Of ten numbers that differ in the last digit alone, one is a card."""
    cards = build("pii", {"entities": ["card"]})
    shown = [digit for digit in "0123456789" if find(cards, f"no. 4{str(body)[1:]}{digit} end")]
    assert shown == [luhn.calc_check_digit(f"4{str(body)[1:]}")]


def test_every_national_id_has_a_module_and_a_shape_that_compiles() -> None:
    """Each country builds by itself, and only finds its own."""
    for country in sorted({each.country for each in NATIONAL_IDS}):
        assert build("pii", {"entities": ["national_id"], "countries": [country]}).traits.prefilter
    dutch = build("pii", {"entities": ["national_id"], "countries": ["NL"]})
    assert (find(dutch, "DNI 12345678Z"), find(dutch, "bsn 111222333")) == ([], ["111222333"])


def test_national_telephone_numbers_need_a_country() -> None:
    """Without one, digits could be anything."""
    assert find(PII, "call 030 901820") == []
    assert find(build("pii", {"entities": ["phone"], "countries": ["DE"]}), "call 030 901820") == ["030 901820"]


def test_what_is_allowed_stays() -> None:
    """By itself, by its domain, and without regard to how it is written."""
    check = build("pii", {"allow": ["@example.com", "4242424242424242"]})
    assert find(check, f"help@example.com, {CARD}, joe@example.org") == ["joe@example.org"]


def test_an_allowed_address_does_not_cut_a_stream_halfway() -> None:
    """``help@example.co`` may become an allowed one; ``.org`` does not."""
    check = build("pii", {"allow": ["@example.com"]})
    assert stream(check, "Write to help@exam", "ple.co", "m today") == ("Write to help@example.com today", None)
    released, cut = stream(check, "Write to help@exam", "ple.or", "g today")
    assert (released, cut is not None) == ("Write to help@exam", True)


@pytest.mark.parametrize(
    ("redaction", "text"),
    [
        ("marker", "Card [redacted:card], mail [redacted:email], [redacted:iban]."),
        ("form", "Card •••• 4242, mail ••••@example.com, •••• 3000."),
    ],
)
def test_a_redaction_keeps_the_form_where_asked(redaction: str, text: str) -> None:
    """Each datum has its own marker, or what may be shown of it."""
    original = f"Card {CARD}, mail joe@example.com, DE89 3704 0044 0532 0130 00."
    assert redact(build("pii", {"redaction": redaction}), original) == text


def test_more_data_than_a_finding_points_at_are_all_redacted() -> None:
    """A finding is bounded, a redaction is not, and nothing around it is lost."""
    text = ", ".join(f"joe{number}@example.com" for number in range(500))
    assert redact(PII, text) == ", ".join(["[redacted:email]"] * 500)
    assert len(find(PII, text)) == 64


def test_the_same_datum_has_the_same_name_in_one_call() -> None:
    """What the model reads in place of data, and what it stands for."""
    check = build("pii", {"stage": "input", "redaction": "reversible"})
    evaluation = Engine(policy(bound("clause", check, action=Action.REDACT))).open()
    question = f"joe@example.com paid with {CARD}; jo@example.com did not; joe@example.com"
    edits = run_sync(evaluation.input(asked(question))).edits
    assert edits == {"/input/0/parts/0": "<EMAIL_1> paid with <CARD_1>; <EMAIL_2> did not; <EMAIL_1>"}
    names = evaluation.pseudonyms
    assert names.restore("<CARD_1> of <EMAIL_2>, <EMAIL_3>") == f"{CARD} of jo@example.com, <EMAIL_3>"


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"redaction": "reversible"}, "only what the model reads can come back"),
        ({"countries": ["XX"]}, "unknown country 'XX'"),
        ({"entities": []}, "at least 1 item"),
        ({"entities": ["name"]}, "'card'"),
        ({"presidio": {"model": "no_such_model"}}, "pip install 'specspan[presidio]'"),
    ],
)
def test_a_configuration_that_could_not_work_is_refused(configuration: object, message: str) -> None:
    """The error names the place, or the extra that is missing."""
    with pytest.raises((CheckConfigError, ValidationError)) as caught:
        build("pii", configuration)
    assert message in f"{caught.value} {getattr(caught.value, 'remedy', '')}"


def test_zero_width_characters_hide_nothing_where_texts_are_normalised() -> None:
    """And the redaction takes out what was written."""
    hidden = "\u200b".join(CARD)
    assert find(PII, hidden) == []
    check = build("pii", {"normalise": True})
    assert redact(check, f"Card {hidden}!") == "Card [redacted:card]!"
