"""Release of the chunks of a stream after one of them was withheld, and the end of the stream."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from specspan._support.guard import guard
from specspan.instrument.formats.carried_answers import RefusedAnswer

Close: TypeAlias = Callable[[], Any]
"""Closes where chunks come from; awaited where they are."""


class Release:
    """All that is still to be given out of a chunk that was withheld, or of a stream that is cut."""

    __slots__ = ("_chunks", "_error", "is_last")

    def __init__(
        self, chunks: Iterable[Any] = (), error: BaseException | None = None, *, is_last: bool = False
    ) -> None:
        self._chunks = deque(chunks)
        self._error = error
        self.is_last = is_last
        """Whether nothing more of the stream is read: its source is closed."""

    @property
    def has_more(self) -> bool:
        """Return whether there is a chunk or an error to give out."""
        return bool(self._chunks) or self._error is not None

    def goes_before(self, args: Sequence[Any]) -> bool:
        """Return whether something is to be given out before a step is made: an error that is thrown goes first."""
        return self.is_last or (self.has_more and not (args and isinstance(args[0], BaseException)))

    def end_with(self, end: Exception) -> None:
        """Have ``end`` raised after the last chunk, where there are chunks."""
        if self._chunks and self._error is None:
            self._error = end

    def give(self, end: Exception) -> Any:
        """Return the next chunk.

        Raises:
            Exception: the error that stands in place of what was withheld, once; then ``end``.
        """
        if self._chunks:
            return self._chunks.popleft()
        error, self._error = self._error, None
        raise error or end


class NothingSeen:
    """Stands for the accumulator of a stream that cannot be read."""

    finished = False

    def add(self, chunk: Any) -> None:
        """Take in no chunk at all."""

    def result(self) -> Any:
        raise LookupError("the chunks of this stream could not be read")


@dataclass(frozen=True, slots=True)
class CarriedChunk:
    """Chunk or refused answer that an error of the client carries."""

    chunk: Any | None
    """The chunk that the client could not read, where an adapter can."""
    refused: RefusedAnswer | None


@dataclass(frozen=True, slots=True)
class Closing:
    """Closing where chunks come from, as a job to wait for."""

    close: Close | None

    def wait(self) -> None:
        with guard("instrument.close"):
            if self.close is not None:
                self.close()

    async def wait_async(self) -> None:
        with guard("instrument.close"):
            if self.close is not None:
                await self.close()
