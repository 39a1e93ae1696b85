"""Signed notes and checkpoints, against the example of the specification and hostile ones."""

from __future__ import annotations

import pytest

from specspan.ledger.signed_note import (
    Checkpoint,
    InvalidNote,
    PublicKey,
    Signer,
    UnknownKey,
    open_checkpoint,
    parse_public_key,
    parse_signer,
)

# Keys and note of golang.org/x/mod/sumdb/note, whose format C2SP's signed-note is.
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNATURE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)

KEY = Signer("log", bytes(32))
CHECKPOINT = Checkpoint("log/stream", 7, bytes(32), 3, 1790000000000000000)


def test_keys_and_notes_are_those_of_go() -> None:
    """A key of Go's package is read, and signs as it does there."""
    signer = parse_signer(GO_PRIVATE)
    assert str(signer.public_key) == GO_PUBLIC
    assert parse_public_key(GO_PUBLIC) == signer.public_key
    assert signer.sign(GO_TEXT) == f"{GO_TEXT}\n{GO_SIGNATURE}"
    assert signer.private_text == GO_PRIVATE


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    """A checkpoint is read from its note, with the key alone, beside signatures of others."""
    note = KEY.sign(str(CHECKPOINT))
    assert open_checkpoint(note, [KEY.public_key]) == CHECKPOINT
    witness = Signer.generate("witness").sign(str(CHECKPOINT)).rpartition("\n\n")[2]
    assert open_checkpoint(note + witness, [KEY.public_key]) == CHECKPOINT
    assert open_checkpoint(f"{CHECKPOINT!s}\n{witness}" + note.rpartition("\n\n")[2], [KEY.public_key]) == CHECKPOINT


def test_a_signature_of_another_key_is_of_an_unknown_key() -> None:
    """The error names the key that signed, even where it has the name of ours."""
    other = Signer.generate("log")
    with pytest.raises(UnknownKey, match=rf"log\+{other.public_key.id.hex()}"):
        open_checkpoint(other.sign(str(CHECKPOINT)), [KEY.public_key])


@pytest.mark.parametrize(
    "change",
    [
        lambda note: note.replace("\n7\n", "\n8\n"),
        lambda note: note.replace("specspan 3", "specspan 4"),
        lambda note: note[:-1],
        lambda note: note.replace("— ", "- "),
        lambda note: note.replace("\n\n", "\n"),
        lambda note: note[:-10] + "AAAAAAAA=\n",
        lambda note: note + "— log !!!!\n",
    ],
)
def test_a_note_that_was_changed_is_not_valid(change: object) -> None:
    """A changed text, signature or form is refused."""
    assert callable(change)
    with pytest.raises(InvalidNote):
        open_checkpoint(change(KEY.sign(str(CHECKPOINT))), [KEY.public_key])


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    """A note of ours about something else is no checkpoint."""
    with pytest.raises(InvalidNote, match="not a checkpoint of a ledger"):
        open_checkpoint(KEY.sign("log/stream\n7\n"), [KEY.public_key])


@pytest.mark.parametrize("text", ["", "log+00000000+AAAA", f"{KEY.public_key}"[:-4], "log+aaaa", "PRIVATE+KEY+a+b+c"])
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    """Neither a public nor a private key is read from it; the message does not quote it."""
    for parse in (parse_public_key, parse_signer):
        with pytest.raises(ValueError) as caught:
            parse(text)
        assert not text or text not in str(caught.value)


def test_a_key_is_not_shown() -> None:
    """The secret is in no representation of the key."""
    assert KEY.private_text.rpartition("+")[2] not in repr(KEY) + str(KEY)
    assert isinstance(KEY.public_key, PublicKey)
    with pytest.raises(ValueError, match="invalid name of a key 'a b'"):
        Signer.generate("a b")
