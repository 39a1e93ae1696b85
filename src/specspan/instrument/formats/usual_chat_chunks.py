"""Chunks that differ from one that was looked at in nothing but their text.

Nearly all chunks of a stream are such. What was found out about the one holds for the others, so they are looked at
once, quickly.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from specspan._support.interruption import raise_interruption
from specspan.instrument.formats.openai_chat_stream import ChatAccumulator, choice_with_text_alone

_MAX_LEARNED = 64

_Fields: TypeAlias = dict[str, Any]


class _Example(NamedTuple):
    """Fields of a chunk that was looked at, without its text."""

    types: tuple[type, type, type]
    """Of the chunk, its choice and its delta."""
    chunk: _Fields
    choice: _Fields
    delta: _Fields


class UsualChatChunks:
    """Chunks of one stream in the shape of OpenAI's chat completions, with one choice whose delta has one text."""

    __slots__ = ("_examples", "_learned", "_varying", "add_text")

    def __init__(self, accumulator: ChatAccumulator) -> None:
        self.add_text = accumulator.add_text
        self._examples: dict[int, _Example] = {}  # by index of a choice
        self._varying: dict[str, type] = {}  # fields of a chunk that differ, such as an id, by the type of their values
        self._learned = 0

    @property
    def can_learn(self) -> bool:
        """Return whether chunks of the stream may still prove to be alike: those with logprobs never do."""
        return self._learned < _MAX_LEARNED

    def text_of(self, chunk: Any) -> tuple[int, str] | None:
        """Return index and text of the choice in such a chunk; None for any other, and where it has no text."""
        try:
            fields = chunk.__dict__
            choices = fields["choices"]
            (choice,) = choices
            of_choice = choice.__dict__
            delta = of_choice["delta"]
            index = of_choice["index"]
            types, like_chunk, like_choice, like_delta = self._examples[index]
            if (
                types != (chunk.__class__, choice.__class__, delta.__class__)
                or chunk.__pydantic_extra__
                or choice.__pydantic_extra__
                or delta.__pydantic_extra__
            ):
                return None
            of_delta = delta.__dict__.copy()
            text = of_delta["content"]
            of_delta["content"] = None
            if of_delta != like_delta or text.__class__ is not str:
                return None
            of_choice = of_choice.copy()
            of_choice["delta"] = None
            if of_choice != like_choice:
                return None
            fields = fields.copy()
            fields["choices"] = None
            for name, kind in self._varying.items():
                if fields[name].__class__ is not kind:
                    return None
                fields[name] = None
            if fields != like_chunk or choices.__class__ is not list:
                return None
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise_interruption(error)
            return None
        return (index, text) if text else None

    def learn(self, chunk: Any) -> None:
        """Take in that a chunk was looked at, and holds no text in fields that are not known."""
        self._learned += 1
        index = choice_with_text_alone(chunk)
        if index is None or not hasattr(chunk, "__pydantic_extra__"):
            return
        (choice,) = chunk.choices
        delta = choice.delta
        if not hasattr(delta, "__pydantic_extra__"):  # a text in its place
            return
        fields = {**chunk.__dict__, "choices": None}
        example = self._examples.get(index)
        if example is not None and fields.keys() == example.chunk.keys():
            self._varying |= {
                name: value.__class__
                for name, value in fields.items()
                if value != example.chunk[name] and _are_leaves(value, example.chunk[name])
            }
        self._examples[index] = _Example(
            (chunk.__class__, choice.__class__, delta.__class__),
            {**fields, **dict.fromkeys(self._varying)},
            {**choice.__dict__, "delta": None},
            {**delta.__dict__, "content": None},
        )


def _are_leaves(value: Any, other: Any) -> bool:
    """Return whether two values are both texts, or both numbers: no other of the kind says anything in their place."""
    return value.__class__ is other.__class__ and value.__class__ in (str, int, float) and bool(value and other)
