"""Texts that arrive in small pieces."""

from __future__ import annotations

_MAX_PIECES = 512


class TextPieces:
    """Text that grows by pieces, in memory of the order of the text.

    A list of the pieces would take some eighty bytes for each. So they are joined now and then, each once.
    """

    __slots__ = ("_blocks", "_pieces")

    def __init__(self, text: str = "") -> None:
        self._blocks: list[str] = [text] if text else []
        self._pieces: list[str] = []

    def __bool__(self) -> bool:
        """Return whether a piece was written."""
        return bool(self._pieces or self._blocks)

    def write(self, piece: str) -> None:
        """Append a piece, which may be empty."""
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) == _MAX_PIECES:
            self._blocks.append("".join(pieces))
            pieces.clear()

    def getvalue(self) -> str:
        """Return all of the text, and keep it as one piece."""
        if self._pieces or len(self._blocks) > 1:
            self._blocks[:] = ["".join((*self._blocks, *self._pieces))]
            self._pieces.clear()
        return self._blocks[0] if self._blocks else ""
