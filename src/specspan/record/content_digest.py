"""Keyed digests of content (HMAC-SHA256): a plain hash of a short text can be guessed. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii
from typing import Final

from specspan.call import Message, Text
from specspan.record import content

PREFIX: Final = "hmac-sha256:"
_ESCAPED: Final = bytes((*range(32), 34, 92, 127))
"""ASCII characters that JSON escapes, and one more."""
_BLOCK_BYTES: Final = 64
_PIECE_BYTES: Final = 2047
"""Length up to which `hashlib` does not let other threads run."""
_SHORT_BYTES: Final = 32_768
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=content.as_json_value)


class ContentDigest:
    """Digests of messages under one key (HMAC, RFC 2104), which keep the interpreter for short texts.

    Python's own functions let other threads run while they hash, and wait for their turn again: for a text of a few
    kilobytes that takes longer than to hash it.
    """

    def __init__(self, key: bytes) -> None:
        padded = (sha256(key).digest() if len(key) > _BLOCK_BYTES else key).ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(each ^ 0x36 for each in padded))
        self._outer = sha256(bytes(each ^ 0x5C for each in padded))

    def of(self, messages: Sequence[Message]) -> str | None:
        """Return the digest of messages in the conventions' shape, as JSON with sorted keys; None for none."""
        if not messages:
            return None
        data = b"[%b]" % b",".join([_encode(message) for message in messages])
        inner, outer = self._inner.copy(), self._outer.copy()
        if len(data) <= _SHORT_BYTES:
            for start in range(0, len(data), _PIECE_BYTES):
                inner.update(data[start : start + _PIECE_BYTES])
        else:
            inner.update(data)
        outer.update(inner.digest())
        return PREFIX + outer.hexdigest()


def _encode(message: Message) -> bytes:
    parts = message.parts
    if len(parts) == 1 and parts[0].__class__ is Text and message.name is None:  # most messages, in a third of the time
        before, after = _around(message.role, message.finish_reason)
        return b"%b%b%b" % (before, _text(parts[0].content), after)
    shape = content.message_as_json(message)
    try:
        return _CANONICAL.encode(shape).encode()
    except (TypeError, ValueError, RecursionError):  # cycles, keys that are no strings, integers without end
        return _CANONICAL.encode(content.as_json_value(shape)).encode()


def _text(text: str) -> bytes:
    if text.isascii():
        data = text.encode()
        if len(data.translate(None, _ESCAPED)) == len(data):  # nothing to escape
            return b'"%b"' % data
    return encode_basestring_ascii(text).encode()


@lru_cache(maxsize=256)
def _around(role: str, finish_reason: str | None) -> tuple[bytes, bytes]:
    """Return the JSON of a message of one text before and behind that text."""
    finish = "" if finish_reason is None else f'"finish_reason":{encode_basestring_ascii(finish_reason)},'
    before = f'{{{finish}"parts":[{{"content":'
    return before.encode(), f',"type":"text"}}],"role":{encode_basestring_ascii(role)}}}'.encode()
