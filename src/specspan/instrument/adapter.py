"""Adapter of a provider: how its calls, answers and streams are read, edited and cut.

An adapter is pure functions between the provider's objects and `specspan.call`: it starts no span, decides nothing and
keeps no state. Its accumulator folds the chunks of a stream into what its response function reads, so that streamed and
plain answers cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from specspan._support.fast_dataclass import fast_init
from specspan.call import Request, Response
from specspan.instrument.formats.known_fields import AnswerFields

Edits = Mapping[str, str]
"""New text by JSON pointer of the part it stands in, such as ``/output/0/parts/0``."""


BESIDE = -1
"""Number under which `Streaming.deltas` yields text that stands beside that of choice 0, such as sources and results of
tools. For choice ``n`` it is ``~n``."""

Delta: TypeAlias = tuple[int, str] | tuple[int, str, Hashable] | tuple[int, str, Hashable, bool]
"""Text in a chunk: number of its choice, the text, the name of the part of the choice that the text belongs to, and
whether that part is read by itself alone.

A part without a name, or named None, is the one that came latest. An empty text says that a part starts: what follows
under its name is another part than what came under that name before.
"""


@fast_init
@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a wrapped method, as the application made it."""

    instance: Any
    """What the method is bound to; None for a function."""
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


class Accumulator(Protocol):
    """Folds the chunks of one stream."""

    @property
    def finished(self) -> bool:
        """Return whether the answer seems complete: each choice has its finish reason, and nothing came since."""

    def add(self, chunk: Any) -> None:
        """Take in the next chunk."""

    def result(self) -> Any:
        """Return the answer so far, in the form that `Adapter.response` reads."""


class UsualChunks(Protocol):
    """Recognises chunks of one stream that differ from one that was looked at in nothing but their text."""

    @property
    def can_learn(self) -> bool:
        """Return whether chunks of the stream may still prove to be alike."""

    def text_of(self, chunk: Any) -> tuple[int, str] | None:
        """Return number and text of the choice in such a chunk; None for any other, and where it has no text."""

    def add_text(self, choice: int, text: str, /) -> None:
        """Have the accumulator of the stream take in such a chunk."""

    def learn(self, chunk: Any) -> None:
        """Take in that a chunk was looked at, and holds no text in fields that are not known."""


def _the_stream(result: Any, stream: Any) -> Any:
    return stream


def _itself(stream: Any) -> Any:
    return stream


def _no_events(seen: Accumulator, chunk: Any) -> Iterable[Any]:
    return ()


def _no_part(chunk: Any) -> Hashable:
    return None


@dataclass(frozen=True, slots=True)
class Streaming:
    """Functions of one provider for answers that come in chunks. No function changes its arguments."""

    accumulator: Callable[[Request], Accumulator]
    """Returns a new accumulator; `Adapter.response` reads its result."""
    deltas: Callable[[Any], Iterable[Delta]]
    """Returns the text in a chunk, by choice and part; see `BESIDE` for text that stands beside that of a choice."""
    cut: Callable[[Any, int, str], Any]
    """Returns a last chunk like the given one, with another text for one choice."""
    find_stream: Callable[[Any], Any | None]
    """Returns the stream in an answer, or None if the answer is not streamed."""
    put_stream: Callable[[Any, Any], Any] = _the_stream
    """Returns the answer with another stream in place of its own."""
    closing_events: Callable[[Any, Any], Iterable[Any]] = _no_events
    """Returns the chunks after a cut that make a client see the end of the stream, from the accumulator of the released
    chunks and the last of them."""
    new_texts: Callable[[Any, Any], Iterable[Delta]] | None = None
    """Returns the texts in a chunk that did not come before, from the accumulator of the stream and the chunk. Used in
    place of `deltas` for services that repeat whole what came in deltas. The texts of the latest chunk are the same
    before and after the accumulator took it in."""
    part_of: Callable[[Any], Hashable] = _no_part
    """Returns the name of the part of the answer that a chunk is about, where the service names it: reasoning of two
    parts does not read on. A chunk that repeats what came before is about a part of its own."""
    is_last: Callable[[Any], bool] | None = None
    """Returns whether a chunk is the very last, for services that mark it. Other instrumentation ends its span at that
    chunk, so a call that shares the span ends just before."""
    keep: Callable[[Any, Callable[[Any], Any]], None] | None = None
    """Has the client's own stream read its chunks through what the function makes of the iterator that it reads them
    from. Raises `AttributeError` before it changes anything, where the stream has other insides. None: nothing inside
    can be replaced, and the application gets a stand-in."""
    source: Callable[[Any], Any] = _itself
    """Returns the object to close for a stream without a method for it. If that has none either, nothing is closed."""
    usual: Callable[[Any], UsualChunks] | None = None
    """Returns what recognises most chunks of a stream, from its accumulator. None: each chunk is looked at whole."""
    fields: AnswerFields | None = None
    """Which fields of a chunk are known; texts in any other are read as well. None: all of it is read or has none."""
    chunk_in: Callable[[BaseException], Any | None] | None = None
    """Returns the chunk that an error of the client carries, because the client could not read it; None if there is
    none."""


Choose: TypeAlias = "Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Adapter | None]"


@dataclass(frozen=True, slots=True)
class Adapter:
    """Functions that read and edit the calls of one provider. None changes its arguments."""

    provider: str
    """``gen_ai.provider.name``, of a call that cannot be read, too."""
    request: Callable[[Invocation], Request]
    response: Callable[[Any], Response | None]
    """Reads an answer, and what the accumulator makes of a stream. None: it cannot be read yet, and is not assessed."""
    edit_request: Callable[[Invocation, Edits], Invocation]
    """The same call with other texts in it."""
    edit_response: Callable[[Any, Edits], Any]
    """The same answer with other texts in it."""
    fields: AnswerFields | None = None
    """Which fields of a whole answer are known; texts in any other are read as well. None: all of it is read."""
    streaming: Streaming | None = None
    """Functions for streamed answers; None if no answer of these methods is streamed."""
    load: Callable[[Any], Any] | None = None
    """Reads what of an answer that is not streamed was left on the wire; returns None, or what to await. Raises only
    what the client's own objects raise. None: nothing ever is."""
    prepare: Callable[[Invocation], Invocation] | None = None
    """Copies what can be read only once. Raises only what the application's own objects raise."""
    keep: Callable[[Any], Any] | None = None
    """The answer, made so that what can be read of it only once is still there for the application to read. None: it
    can be read again."""
    answer_in: Callable[[BaseException], Any | None] | None = None
    """Returns the answer that an error of the client carries, or None if it carries none. The application gets the
    error once the answer was decided. None: no error carries one."""
    choose: Choose | None = None
    """Where one method makes calls of many kinds: the adapter for one of them, by what it is bound to, args, kwargs.
    None: that is no model call, and left alone."""
    operation: str = "chat"
    """``gen_ai.operation.name``, as `provider`."""
    on_entry: bool = False
    """Whether what the methods return is a ``with`` block that makes the call when it is entered."""
    methods: tuple[str, ...] = ()
    """Where calls are made: ``module:Class.method``, or ``module:function``. Absent ones are skipped, so that
    other versions work too."""
    package: str | None = None
    """The package to be imported. Its methods may call each other: the outermost is the call."""
    is_inner: bool = False
    """Whether other methods of the package make their calls by way of these: only what none of them began is met."""
    gateway: bool = False
    """Whether the package carries its calls through other clients: what those are asked then is part of the call."""
    install: str = ""
    """What ``pip install`` takes to provide that package, such as ``specspan[openai]``."""
