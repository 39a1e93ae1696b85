"""Opener of the streams of one process: one at a time, each after the one before was left."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Final

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_settings import LedgerSettings
from specspan.ledger.signed_note import Signer
from specspan.ledger.stream import Stream

_RETRY_S: Final = 0.5
"""Time after which a stream that could not be opened is tried again: until then no call pays for it."""


class StreamOpener:
    """Opener that says in each stream whose it is."""

    def __init__(self, settings: LedgerSettings, signer: Signer, parent: Mapping[str, Any] | None) -> None:
        """Name ``parent`` as the stream that was forked."""
        self.names: list[str] = []
        """Names of the streams that were opened."""
        self._settings, self._signer, self._parent = settings, signer, parent
        self._retry_s = 0.0
        self._error: tuple[int | None, str | None] = (None, None)

    def open(self) -> Stream:
        """Return a new stream.

        Raises:
            OSError: it cannot be made, or could not be half a second ago.
        """
        if time.monotonic() < self._retry_s:
            raise OSError(*self._error)  # anew: an error that is raised often keeps every frame
        about = {
            "mode": self._settings.mode.value,
            "heartbeat_s": self._settings.heartbeat_s,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **({} if self._parent is None else {"parent": self._parent}),
        }
        try:
            stream = Stream(self._settings, self._signer, files.new_stream_name(), about)
        except OSError as error:
            self._retry_s, self._error = time.monotonic() + _RETRY_S, (error.errno, error.strerror)
            raise
        self.names.append(stream.name)
        return stream
