"""The scope as a line of text: who is believed, and what is made of everything else that may arrive."""

from __future__ import annotations

import base64
import json
import logging
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scopes import scopes

from specspan.instrument.scope_propagation import (
    CLOCK_SKEW_S,
    LIFETIME_S,
    MAX_CHARS,
    ReceivedScope,
    ScopeKeys,
    decode_token,
    encode_token,
    load_keys,
)
from specspan.scope.narrowing import Trust
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

NOW_S = 1_800_000_000.5
OURS = ScopeKeys("k1", {"k1": b"0123456789abcdef"})
SCOPE = ScopeOfAutonomy(("search",), {"search": {"query": ArgumentLimit(patterns=("[a-z]+",))}})
SIGNED = encode_token(SCOPE, OURS, NOW_S)


def trust(text: str, *, known: ScopeKeys = OURS, now_s: float = NOW_S) -> Trust:
    return decode_token(text, known).standing(now_s).trust


def resigned(payload: Any, known: ScopeKeys = OURS) -> str:
    """A text that somebody with the key signed, whatever it says."""
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    encoded = base64.urlsafe_b64encode(data).decode().rstrip("=")
    from specspan.instrument.scope_propagation import _mac, _to_base64url

    return f"1.k1.{encoded}.{_to_base64url(_mac(known.secrets['k1'], f'1.k1.{encoded}'))}"


@given(scopes)
def test_what_is_signed_arrives_whole(scope: ScopeOfAutonomy) -> None:
    """The scope that arrives is the scope that left, verified."""
    arrived = decode_token(encode_token(scope, OURS, NOW_S), OURS)
    assert arrived.scope == scope
    assert arrived.standing(NOW_S).trust is Trust.VERIFIED


def test_the_form_is_agreed() -> None:
    """Services of different versions read one another: the same scope, key and moment always make this text."""
    assert SIGNED == (
        "1.k1.eyJleHAiOjE4MDAwMDM2MDAsImlhdCI6MTgwMDAwMDAwMCwic2NvcGUiOnsibGltaXRzIjp7InNlYXJjaCI6eyJxdWVyeSI"
        "6eyJwYXR0ZXJucyI6WyJbYS16XSsiXX19fSwidG9vbHMiOlsic2VhcmNoIl19fQ.lDwzBu4HSaN7LzfPYo-XaF5bfPi_9ixB8Yzn"
        "rWBJhuc"
    )


def test_it_fits_a_header() -> None:
    """The text needs no escaping in baggage."""
    assert set(SIGNED) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


def test_a_signature_ages() -> None:
    """It holds for its lifetime, and not a moment longer; a clock slightly ahead is forgiven, one far ahead is not."""
    issued = int(NOW_S)
    assert trust(SIGNED, now_s=issued + LIFETIME_S - 1) is Trust.VERIFIED
    assert trust(SIGNED, now_s=issued + LIFETIME_S) is Trust.EXPIRED
    assert trust(SIGNED, now_s=issued - CLOCK_SKEW_S) is Trust.VERIFIED
    assert trust(SIGNED, now_s=issued - CLOCK_SKEW_S - 1) is Trust.UNTRUSTED
    assert decode_token(SIGNED, OURS).scope == SCOPE


def test_passing_it_on_makes_it_no_younger() -> None:
    """What is signed on behalf of a scope that arrived expires when that does."""
    passed_on = encode_token(SCOPE, OURS, NOW_S, NOW_S + 10)
    assert trust(passed_on, now_s=NOW_S + 9) is Trust.VERIFIED
    assert trust(passed_on, now_s=NOW_S + 10) is Trust.EXPIRED


def test_without_a_key_it_says_something_and_proves_nothing() -> None:
    """An unsigned scope is read, and untrusted; so is one signed with a key that is not known here."""
    unsigned = encode_token(SCOPE, ScopeKeys(), NOW_S)
    assert decode_token(unsigned, OURS).scope == SCOPE
    assert trust(unsigned) is Trust.UNTRUSTED
    assert trust(unsigned, known=ScopeKeys()) is Trust.UNTRUSTED
    assert trust(SIGNED, known=ScopeKeys("k2", {"k2": b"0123456789abcdef"})) is Trust.UNTRUSTED
    assert trust(SIGNED, known=ScopeKeys("k1", {"k1": b"fedcba9876543210"})) is Trust.UNTRUSTED
    assert trust(SIGNED, known=ScopeKeys()) is Trust.UNTRUSTED


def test_keys_can_be_exchanged_without_a_gap() -> None:
    """The first key signs and all verify; with the old one left out, what it signed is no longer believed."""
    old, new = b"the old secret..", b"the new secret.."
    before, during = ScopeKeys("a", {"a": old}), ScopeKeys("b", {"b": new, "a": old})
    assert trust(encode_token(SCOPE, before, NOW_S), known=during) is Trust.VERIFIED
    assert trust(encode_token(SCOPE, during, NOW_S), known=during) is Trust.VERIFIED
    assert trust(encode_token(SCOPE, before, NOW_S), known=ScopeKeys("b", {"b": new})) is Trust.UNTRUSTED


@given(st.integers(0, len(SIGNED) - 1), st.characters(min_codepoint=33, max_codepoint=126))
def test_no_character_can_be_changed(position: int, character: str) -> None:
    """A text that differs anywhere is not believed."""
    forged = SIGNED[:position] + character + SIGNED[position + 1 :]
    assert forged == SIGNED or trust(forged) is Trust.UNTRUSTED


@given(st.integers(0, len(SIGNED) - 1))
def test_it_cannot_be_cut_short(length: int) -> None:
    """A truncated text is not believed, however much of it arrived."""
    assert trust(SIGNED[:length]) is Trust.UNTRUSTED


@given(st.text(max_size=200) | st.lists(st.text(max_size=20), min_size=4, max_size=4).map(".".join))
def test_anything_may_arrive(text: str) -> None:
    """Garbage is untrusted and says nothing."""
    assert decode_token(text, OURS) == ReceivedScope()


_WIDER = {"iat": int(NOW_S), "exp": int(NOW_S) + 60, "scope": {}}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xff\xfe",
        b"[" * 3000,
        b"9" * 3000,
        [],
        {**_WIDER, "scope": None},
        {**_WIDER, "scope": {"tools": "search"}},
        {**_WIDER, "scope": {"later": True}},
        {**_WIDER, "iat": None},
        {**_WIDER, "exp": "never"},
        {**_WIDER, "exp": True},
        {**_WIDER, "exp": 1e99},
        {"scope": {}},
    ],
    ids=lambda payload: str(payload)[:30],
)
def test_a_signature_does_not_make_sense_of_nonsense(payload: Any) -> None:
    """What cannot be read is untrusted although it was signed: a bound that is not understood is not kept."""
    assert decode_token(resigned(payload), OURS) == ReceivedScope()
    assert trust(resigned(_WIDER)) is Trust.VERIFIED


def test_what_is_too_long_is_not_read() -> None:
    """Longer than an entry of baggage may be, it is not even verified."""
    wide = ScopeOfAutonomy(tuple(f"tool_{number}" for number in range(400)))
    text = encode_token(wide, OURS, NOW_S)
    assert len(text) > MAX_CHARS
    assert decode_token(text, OURS) == ReceivedScope()


def test_the_same_text_has_one_budget() -> None:
    """What is spent under a scope that arrived counts for everything that arrived with it."""
    text = encode_token(ScopeOfAutonomy(cost_limit=Cost(Decimal(5), "EUR")), OURS, NOW_S)
    (budget,) = decode_token(text, OURS).budgets
    assert decode_token(text, OURS).budgets == (budget,)
    assert decode_token(
        encode_token(ScopeOfAutonomy(cost_limit=Cost(Decimal(5), "EUR")), OURS, NOW_S + 1), OURS
    ).budgets != (budget,)


def test_keys_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`SPECSPAN_SCOPE_KEY` lists them, the one that signs first."""
    monkeypatch.setenv("SPECSPAN_SCOPE_KEY", "new:the new: secret..., old:the old secret.....")
    assert load_keys() == ScopeKeys("new", {"new": b"the new: secret...", "old": b"the old secret....."})
    monkeypatch.delenv("SPECSPAN_SCOPE_KEY")
    assert load_keys() == ScopeKeys()
    assert "secret" not in repr(OURS)


class TestUnusableKeys:
    """Keys that are named and not used."""

    @pytest.fixture(autouse=True)
    def nothing_logged(self) -> None:
        """What is logged here is what is tested."""

    @pytest.mark.parametrize(
        "listed", ["short:secret", "the secret has no id", ":0123456789abcdef", "a b:0123456789abcdef"]
    )
    def test_it_is_logged_and_signs_nothing(
        self, listed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A key that could be guessed, or that has no name, is left out; the log does not say what it is."""
        monkeypatch.setenv("SPECSPAN_SCOPE_KEY", f"{listed},ok:0123456789abcdef")
        with caplog.at_level(logging.WARNING, "specspan"):
            assert load_keys() == ScopeKeys("ok", {"ok": b"0123456789abcdef"})
        assert "key 1 is not used" in caplog.text
        assert listed not in caplog.text
