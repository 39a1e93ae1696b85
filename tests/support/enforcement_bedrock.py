"""The fake service behind a ``botocore`` client, and how Amazon Bedrock frames the events of a stream."""

from __future__ import annotations

import io
import json
import struct
from functools import lru_cache
from typing import Any
from zlib import crc32

from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.session import Session
from enforcement_http import Service
from urllib3 import HTTPResponse


@lru_cache(maxsize=1)
def _client() -> Any:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    config = Config(retries={"total_max_attempts": 1})
    return Session().create_client("bedrock-runtime", region_name="us-east-1", config=config, **keys)


def client(service: Service) -> Any:
    """Return the client, which asks ``service`` from now on."""

    def answer(request: Any, **_: Any) -> Any:
        service.requests.append(request.body or b"")
        kind = "application/vnd.amazon.eventstream" if service.is_stream else "application/json"
        headers = {"content-type": kind} | service.headers
        body = io.BytesIO(b"".join(service.pieces))
        source = HTTPResponse(body, headers, service.status, preload_content=False)
        return AWSResponse(request.url, service.status, source.headers, source)

    made = _client()
    made.meta.events.unregister("before-send", unique_id="enforcement")
    made.meta.events.register("before-send", answer, unique_id="enforcement")
    return made


def frame(name: str, payload: Any, kind: str = "event") -> bytes:
    """Return one event as it is framed."""
    said = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    headers = b"".join(_header(key, value) for key, value in said.items())
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    message = prelude + struct.pack(">I", crc32(prelude)) + headers + body
    return message + struct.pack(">I", crc32(message))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(value)) + value.encode()
