"""Documents that an answer may stand on, and what the answer says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from specspan.call import ModelCall, Text, ToolCallResponse
from specspan.checks.detectors.overlap import letters_of
from specspan.checks.texts import as_text

_TAG = re.compile(r"<(/?)(document|doc|source|passage|item)\b([^<>\n]{0,300})>", re.IGNORECASE)
_ID = re.compile(r"(?:id|index|name|title|number|url|href|source)\s?=\s?[\"']?([^\"'\s>]{1,200})", re.IGNORECASE)
_NUMBERED = re.compile(r"^\s{0,3}\[(\d{1,3})\][ :.]", re.MULTILINE)
_ID_FIELD = re.compile(r"\"(?:id|doc_id|document_id|source|url|title|name)\"\s?:\s?\"([^\"\n]{1,200})\"")
_URL = re.compile(r"https?://[^\s<>\"'`()\[\]{}|\\^]{1,2000}")
_CITED = re.compile(
    r"\[(?:doc(?:ument)?|source|ref)?[ :#]?(\d{1,3}(?: ?, ?\d{1,3}){0,9})\](?!\()|"
    r"【(?:doc)?:?(\d{1,3})[^】\n]{0,40}】|\[\^([\w-]{1,40})\](?!:)"
)
_NAMED = re.compile(r"\[(?:doc(?:ument)?|source|ref|id)[ :#]([\w./-]{2,120})\](?!\()", re.IGNORECASE)
_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»\n]{1,1000})[\"”“»]")


class Cited(NamedTuple):
    """Place where an answer names a source, or quotes one."""

    start: int
    end: int
    value: str


class Documents(NamedTuple):
    """Documents of a call."""

    ids: frozenset[str]
    """Ids, numbers and addresses by which they can be named, in lower case."""
    letters: str
    """Letters and digits of all of them."""
    number: int


def documents_of(call: ModelCall) -> Documents:
    """Return the documents in a call: results of tools, and what stands in the input as documents."""
    ids, bodies = set[str](), list[str]()
    for text in _given(call):
        marked = list(_marked_documents(text))
        bodies += [body for _, body in marked] if marked else [text]
        ids |= {found[1].lower() for attributes, _ in marked for found in _ID.finditer(attributes)}
        for pattern in (_NUMBERED, _ID_FIELD):
            ids |= {found[1].lower() for found in pattern.finditer(text)}
        ids |= {_address(found[0]) for found in _URL.finditer(text)}
    numbers = {str(number) for number in range(1, len(bodies) + 1)}
    return Documents(frozenset(ids | numbers), letters_of("\n".join(bodies)), len(bodies))


def _marked_documents(text: str) -> Iterator[tuple[str, str]]:
    """Yield attributes and content of the elements that are documents; of nested ones, the inner."""
    opened: re.Match[str] | None = None
    for tag in _TAG.finditer(text):
        if not tag[1]:
            opened = tag
        elif opened is not None and opened[2].lower() == tag[2].lower():
            yield opened[3], text[opened.end() : tag.start()]
            opened = None


def _given(call: ModelCall) -> Iterator[str]:
    for message in call.input:
        for part in message.parts:
            if isinstance(part, ToolCallResponse):
                yield as_text(part.response)
            elif isinstance(part, Text) and (_TAG.search(part.content) or _NUMBERED.search(part.content)):
                yield part.content


def citations_in(text: str) -> Iterator[Cited]:
    """Yield the places where a text names a source: ``[1]``, ``[doc:abc]``, ``【1†…】``, ``[^note]`` and addresses."""
    for found in _CITED.finditer(text):
        for value in (found[1] or found[2] or found[3]).split(","):
            yield Cited(*found.span(), value.strip().lower())
    for found in _NAMED.finditer(text):
        yield Cited(*found.span(), found[1].lower())
    for found in _URL.finditer(text):
        yield Cited(*found.span(), _address(found[0]))


def quotations_in(text: str, min_words: int) -> Iterator[Cited]:
    """Yield the quotations in a text of at least some words."""
    for found in _QUOTED.finditer(text):
        if len(found[1].split()) >= min_words or (len(found[1]) >= min_words * _CHARS_PER_WORD and " " not in found[1]):
            yield Cited(*found.span(1), found[1])


_CHARS_PER_WORD = 3


def _address(url: str) -> str:
    return url.rstrip(".,;:!?*_/").lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
