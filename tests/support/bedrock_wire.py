"""What Amazon Bedrock puts on the wire, and a real ``botocore`` client that is answered with it."""

from __future__ import annotations

import base64
import io
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from zlib import crc32

from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.session import Session
from urllib3 import HTTPResponse

Answer = Callable[..., Any]
"""What is registered for ``before-send``: makes the answer to a request."""


@lru_cache(maxsize=8)
def _client(service: str) -> Any:
    return _made(service)


def _made(service: str, **more: Any) -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1})
    return Session().create_client(service, region_name="us-east-1", config=config, **keys, **more)


def client(answer: Answer, service: str = "bedrock-runtime") -> Any:
    """The service's client, answered from now on by ``answer``."""
    found = _client(service)
    found.meta.events.unregister("before-send", unique_id="wire")
    found.meta.events.register("before-send", answer, unique_id="wire")
    return found


def connected(url: str) -> Any:
    """A client that asks a server there."""
    return _made("bedrock-runtime", endpoint_url=url)


@dataclass
class Wire:
    """Answers with one body, and keeps the bodies of requests."""

    body: bytes | Any
    """Bytes as they are; anything else as JSON."""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    requests: list[Any] = field(default_factory=list)
    source: Any = None
    """What the client reads the answer from."""

    def __call__(self, request: Any, **_: Any) -> Any:
        self.requests.append(json.loads(request.body or b"{}"))
        data = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        is_stream = data.startswith(b"\0\0")
        headers = {"content-type": "application/vnd.amazon.eventstream" if is_stream else "application/json"}
        self.source = HTTPResponse(io.BytesIO(data), headers | self.headers, self.status, preload_content=False)
        return AWSResponse(request.url, self.status, self.source.headers, self.source)


def frame(name: str, payload: Any, kind: str = "event") -> bytes:
    """One event as it is framed."""
    said = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(_header(key, value) for key, value in said.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()


def events(*said: dict[str, Any]) -> tuple[bytes, ...]:
    """The events of ConverseStream, one piece each."""
    return tuple(frame(name, payload) for each in said for name, payload in each.items())


def pieces(*said: dict[str, Any]) -> tuple[bytes, ...]:
    """The events of InvokeModelWithResponseStream, one piece each."""
    return tuple(frame("chunk", {"bytes": base64.b64encode(json.dumps(each).encode()).decode()}) for each in said)


def conversation(texts: Sequence[str] = (), *, reason: str = "end_turn") -> list[dict[str, Any]]:
    """The events of an answer that is one text."""
    return [
        {"messageStart": {"role": "assistant"}},
        *({"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": text}}} for text in texts),
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": reason}},
        {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 7, "totalTokens": 10}, "metrics": {"latencyMs": 1}}},
    ]


def called(name: str, *arguments: str, index: int = 1) -> Iterator[dict[str, Any]]:
    """The events of a tool call, its arguments in pieces."""
    yield {"contentBlockStart": {"contentBlockIndex": index, "start": {"toolUse": {"toolUseId": "t1", "name": name}}}}
    for each in arguments:
        yield {"contentBlockDelta": {"contentBlockIndex": index, "delta": {"toolUse": {"input": each}}}}
    yield {"contentBlockStop": {"contentBlockIndex": index}}


def answered(*content: Any, **more: Any) -> dict[str, Any]:
    """The body of Converse's answer, with these blocks; a text may be just that."""
    blocks = [{"text": each} if isinstance(each, str) else each for each in content]
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 3, "outputTokens": 7, "totalTokens": 10},
        "metrics": {"latencyMs": 1},
        **more,
    }
