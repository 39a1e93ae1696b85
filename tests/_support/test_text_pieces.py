"""Texts that arrive in small pieces."""

from __future__ import annotations

import tracemalloc

from specspan._support.text_pieces import TextPieces


def test_a_text_is_its_pieces() -> None:
    """In order, whenever it is asked for, whatever they hold."""
    text, written = TextPieces("a"), "a"
    for number in range(3000):
        piece = ("\r\n", "", "\ud800", "word")[number % 4] + str(number)
        text.write(piece)
        written += piece
        if number % 700 == 0:
            assert text.getvalue() == written
    assert text.getvalue() == text.getvalue() == written


def test_a_text_without_pieces_is_empty() -> None:
    """It tells whether a piece was written, be it empty."""
    text = TextPieces()
    assert (bool(text), text.getvalue()) == (False, "")
    text.write("")
    assert (bool(text), text.getvalue()) == (True, "")


def test_memory_is_of_the_order_of_the_text() -> None:
    """Some bytes for each of many pieces, not an object for each."""
    tracemalloc.start()
    try:
        text = TextPieces()
        for number in range(100_000):
            text.write(f"w{number % 1000:03} ")
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 2 * len(text.getvalue())
