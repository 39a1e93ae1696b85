"""A queue of messages between processes, in one SQLite file: no server, and nothing is lost when a process is.

What a message is sent with, OpenTelemetry's propagators write into its headers: the trace, and the scope of autonomy
that is in force. Spans follow the conventions of messaging:
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
    """One that was taken."""

    id: str
    destination: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]


class MessageQueue:
    """Messages wait, are taken by one consumer, and are done; one that a lost consumer had taken can be told."""

    def __init__(self, path: str | Path) -> None:
        self._file = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute(_SCHEMA)

    def send(self, destination: str, body: Mapping[str, Any]) -> str:
        """Put a message at the end of the queue ``destination``; its id."""
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
        """Take the first message, and be at work on it inside the block; None when ``stop`` was set before one came.

        When the block ends the message is done; when it raises, failed.
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
        """Id, destination and state of every message that is not done, in the order they were sent."""
        return self._file.execute(
            "SELECT id, destination, state FROM message WHERE state != 'done' ORDER BY place"
        ).fetchall()

    def close(self) -> None:
        """Let go of the file."""
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
    """The span of one message's processing, always linked to the sender's.

    Where nothing else is going on, it is also below the sender's, and what came with the message is in force.
    """
    sent = propagate.extract(message.headers)
    at_work = trace.get_current_span().get_span_context().is_valid
    token = context.attach(context.get_current() if at_work else sent)
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
