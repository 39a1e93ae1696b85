"""Which choices of a streamed answer are complete."""

from __future__ import annotations

from specspan.call import Request


class EndedChoices:
    """Set of the choices of a streamed answer that ended, and of which nothing came since.

    A reason to stop is not the end of an answer: some servers give one with every chunk or with the end of reasoning,
    and some answer with more choices than the request asked for by name.
    """

    __slots__ = ("_expected", "indexes")

    def __init__(self, request: Request) -> None:
        count = request.parameters.get("choice.count", 1)
        self._expected = count if isinstance(count, int) else 1
        self.indexes: set[int] = set()
        """Indexes of the choices."""

    def are_all_of(self, number: int) -> bool:
        """Return whether all choices that were asked for ended, and all of the ``number`` that came."""
        return len(self.indexes) >= self._expected and len(self.indexes) >= number

    def end(self, index: int) -> bool:
        """Note that a choice ended. Returns False where that was known."""
        is_news = index not in self.indexes
        self.indexes.add(index)
        return is_news

    def reopen(self, index: int) -> None:
        """Note that more of a choice came."""
        self.indexes.discard(index)
