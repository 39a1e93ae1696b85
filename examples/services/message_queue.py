"""Queue of messages between processes, in one SQLite file: without a server, and safe when a process is lost.

OpenTelemetry's propagators write the trace and the scope of autonomy in force into the headers of a message.
Spans follow the conventions of messaging:
https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/
"""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Link, SpanKind

_SCHEMA = """CREATE TABLE IF NOT EXISTS message (
    place INTEGER PRIMARY KEY, id TEXT NOT NULL, destination TEXT NOT NULL, headers TEXT NOT NULL, body TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
)"""
_POLL_S = 0.02
_tracer = trace.get_tracer("shop.message_queue")


@dataclass(frozen=True, slots=True)
class Message:
    """Message that a consumer has taken."""

    id: str
    destination: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class MessageQueue:
    """Queue whose messages are waiting, taken, done or failed; one that a lost consumer had taken stays taken."""

    def __init__(self, path: str | Path) -> None:
        self._file = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(_SCHEMA)

    def send(self, destination: str, body: Mapping[str, Any]) -> str:
        """Put a message at the end of the queue ``destination`` and return its id."""
        id_ = f"m-{uuid.uuid4().hex[:8]}"
        with _tracer.start_as_current_span(
            f"send {destination}", kind=SpanKind.PRODUCER, attributes=_attributes("send", destination, id_)
        ):
            headers: dict[str, str] = {}
            propagate.inject(headers)
            row = (id_, destination, json.dumps(headers), json.dumps(body))
            self._file.execute("INSERT INTO message (id, destination, headers, body) VALUES (?, ?, ?, ?)", row)
        return id_

    @contextmanager
    def receive(self, destination: str, stop: threading.Event) -> Iterator[Message | None]:
        """Take the first message and yield it; yield None when ``stop`` was set before one came.

        When the block ends the message is done; when the block raises, the message has failed.
        """
        message = self._next(destination, stop)
        if message is None:
            yield None
            return
        state = "failed"
        try:
            with _processing(message):
                yield message
            state = "done"
        finally:
            self._file.execute("UPDATE message SET state = ? WHERE id = ?", (state, message.id))

    def unfinished(self) -> list[tuple[str, str, str]]:
        """Return the id, destination and state of each message that is not done, in the order of sending."""
        return self._file.execute(
            "SELECT id, destination, state FROM message WHERE state != 'done' ORDER BY place"
        ).fetchall()

    def close(self) -> None:
        """Close the file of the queue."""
        self._file.close()

    def _next(self, destination: str, stop: threading.Event) -> Message | None:
        while not stop.is_set():
            message = self._take(destination)
            if message is not None:
                return message
            stop.wait(_POLL_S)
        return None

    def _take(self, destination: str) -> Message | None:
        self._file.execute("BEGIN IMMEDIATE")  # two consumers never see one message
        try:
            row = self._file.execute(
                "SELECT id, headers, body FROM message WHERE destination = ? AND state = 'waiting' ORDER BY place",
                (destination,),
            ).fetchone()
            if row is not None:
                self._file.execute("UPDATE message SET state = 'taken' WHERE id = ?", row[:1])
        finally:
            self._file.execute("COMMIT")
        return None if row is None else Message(row[0], destination, json.loads(row[1]), json.loads(row[2]))


@contextmanager
def _processing(message: Message) -> Iterator[None]:
    """Start the span of one message's processing, which is linked to the sender's.

    Without a span around, the new span is also below the sender's, and the context of the message is in force.
    """
    sent = propagate.extract(message.headers)
    is_in_span = trace.get_current_span().get_span_context().is_valid
    token = context.attach(context.get_current() if is_in_span else sent)
    try:
        with _tracer.start_as_current_span(
            f"process {message.destination}",
            kind=SpanKind.CONSUMER,
            attributes=_attributes("process", message.destination, message.id),
            links=[Link(trace.get_current_span(sent).get_span_context())],
        ):
            yield
    finally:
        context.detach(token)


def _attributes(operation: str, destination: str, id_: str) -> dict[str, str]:
    return {
        "messaging.system": "sqlite",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
        "messaging.destination.name": destination,
        "messaging.message.id": id_,
    }
