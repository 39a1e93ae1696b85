"""What one provider knows about its own calls. Everything else about a model call is the wrapper's.

An adapter is pure functions between the provider's objects and `specspan.call`: it starts no span, decides nothing and
keeps no state. Its accumulator folds the chunks of a stream into what its response function reads, so that streamed and
plain answers cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from specspan._support.fast_dataclass import quickly_made
from specspan.call import Request, Response

Edits = Mapping[str, str]
"""New text by JSON pointer of the part it stands in, such as ``/output/0/parts/0``."""


@quickly_made
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
        """Whether the model said of every choice why it stopped."""

    def add(self, chunk: Any) -> None:
        """Take in the next chunk."""

    def result(self) -> Any:
        """What was seen so far, as `Adapter.response` reads it."""


def _as_it_is(invocation: Invocation) -> Invocation:
    return invocation


def _the_stream(result: Any, stream: Any) -> Any:
    return stream


def _itself(stream: Any) -> Any:
    return stream


def _nothing_more(seen: Accumulator, chunk: Any) -> Iterable[Any]:
    return ()


def _not_streamed(*_: Any) -> Any:
    raise TypeError("an adapter without an accumulator, 'deltas' and 'cut' cannot have a stream")


Choose: TypeAlias = "Callable[[Any, tuple[Any, ...], Mapping[str, Any]], Adapter | None]"


@dataclass(frozen=True, slots=True)
class Adapter:
    """What one provider knows. No function changes what it is given."""

    provider: str
    """``gen_ai.provider.name``, of a call that cannot be read, too."""
    request: Callable[[Invocation], Request]
    response: Callable[[Any], Response | None]
    """Reads an answer, and what the accumulator makes of a stream. None: it cannot be read yet, and is not assessed."""
    edit_request: Callable[[Invocation, Edits], Invocation]
    """The same call with other texts in it."""
    edit_response: Callable[[Any, Edits], Any]
    """The same answer with other texts in it."""
    accumulator: Callable[[Request], Accumulator] = _not_streamed
    deltas: Callable[[Any], Iterable[tuple[int, str]]] = _not_streamed
    """The text in a chunk, by choice."""
    cut: Callable[[Any, int, str], Any] = _not_streamed
    """A last chunk like the given one, with a text for one choice in place of what stands in it."""
    closing: Callable[[Any, Any], Iterable[Any]] = _nothing_more
    """What a client needs to see after that chunk to take the stream for ended: of the accumulator of what was handed
    over, and the chunk."""
    is_last: Callable[[Any], bool] | None = None
    """Whether a chunk is the very last there is, where a service says so. Somebody else ends their span when they see
    it, so that a call which shares that span is over just before."""
    load: Callable[[Any], Any] | None = None
    """Reads what of an answer that is not streamed was left on the wire; returns None, or what to await. Raises only
    what the client's own objects raise. None: nothing ever is."""
    stream_in: Callable[[Any], Any | None] | None = None
    """The stream in an answer; None when it is not streamed, or none ever is."""
    put_stream: Callable[[Any, Any], Any] = _the_stream
    """The answer with another object in place of its stream."""
    prepare: Callable[[Invocation], Invocation] = _as_it_is
    """Copies what can be read only once. Raises only what the application's own objects raise."""
    keep: Callable[[Any], Any] | None = None
    """The answer, made so that what can be read of it only once is still there for the application to read. None: it
    can be read again."""
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
    gateway: bool = False
    """Whether the package carries its calls through other clients: what those are asked then is part of the call."""
    source: Callable[[Any], Any] = _itself
    """What to close in place of a stream that has no method for it. Where that has none either, nothing is closed."""
    install: str = ""
    """What ``pip install`` takes to provide that package, such as ``specspan[openai]``."""
