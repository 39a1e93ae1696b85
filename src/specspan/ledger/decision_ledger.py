"""Ledger as the recorder sees it: decision records go in, each after the record of its policy."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from specspan._support import drop_counts
from specspan._support.guard import contain
from specspan.errors import ConfigurationError, Problem
from specspan.ledger import ledger_files as files
from specspan.ledger.canonical_json import canonical_json
from specspan.ledger.content_store import ContentStore, redact_texts
from specspan.ledger.delivery import Backend
from specspan.ledger.ledger_entry import DECISION, POLICY, Entry, Place, control
from specspan.ledger.ledger_settings import LedgerSettings
from specspan.ledger.recovery import recover_streams
from specspan.ledger.retention import EXPIRY, expire
from specspan.ledger.shipping import Shipper
from specspan.ledger.signed_note import Signer
from specspan.ledger.signing_keys import listed_keys, load_signer, publish_key
from specspan.ledger.writer import LedgerWriter

_log = logging.getLogger("specspan")
Record = Mapping[str, Any]


class DecisionLedger:
    """Durable log of decision records and of the policy records that they name."""

    def __init__(self, settings: LedgerSettings, signer: Signer) -> None:
        self._settings = settings
        self._signer = signer
        self._writer = LedgerWriter(settings, signer, self._tidy)
        self._content = ContentStore(settings.folder)
        self._is_redactor_failing = False
        self._folder = settings.folder
        self._shippers: list[Shipper] = []
        self._last = threading.local()

    def ship_to(self, name: str, backend: Backend) -> None:
        """Deliver every decision, and those that earlier processes left, to a backend; its place is kept by name."""
        shipper = Shipper(self._folder, quote(name, safe=""), backend, lambda: self._writer.opener.names)
        self._shippers.append(shipper)
        shipper.start()

    def append(self, record: Record, find_policy: Callable[[str], Record | None]) -> bool:
        """Write the record of a decision; return False where it was lost, and counted.

        ``find_policy`` returns the record of a policy by its id.
        """
        try:
            data = _body(record)
        except Exception as error:
            self.drop("internal")
            contain("ledger.record", error)
            return False
        self.append_encoded(record["type"], record["id"], data, record["policy"].get("record"), find_policy)
        return self._last.entry.loss is None

    def append_encoded(
        self, kind: str, record_id: str, data: bytes, policy: str | None, find_policy: Callable[[str], Record | None]
    ) -> Place | None:
        """Write the record of a decision or finding, which is canonical JSON, as `append` does, and return its place.

        A decision that this thread handed over last is not written twice: who is interrupted while it is written hands
        it over again.
        """
        entry: Entry | None = getattr(self._last, "entry", None)
        if entry is None or entry.key != record_id:
            if policy is not None and not self._writer.has_policy(policy):
                self._announce(policy, find_policy)
            entry = self._last.entry = Entry(kind, data, record_id)
        for shipper in self._shippers:
            shipper.start()  # in a forked child, which has no threads
        return self._writer.place_of(entry) if self._writer.append(entry) else None

    def drop(self, reason: str) -> None:
        """Count a decision whose record could not be made."""
        self._writer.losses.add([Entry(DECISION, b"")], reason)

    def append_policy(self, record: Record) -> None:
        """Write the record of a policy that came into force."""
        self._writer.append(Entry(POLICY, _body(record), record["id"]))

    def _announce(self, policy: str, find_policy: Callable[[str], Record | None]) -> None:
        record = find_policy(policy)
        if record is not None:
            self.append_policy(record)

    def append_control(self, type_: str, body: Record) -> bool:
        """Write a record about the ledger itself; return True when the disk has it, under a checkpoint."""
        return self._writer.append(control(type_, body)) and self._writer.commit()

    @property
    def keeps_content(self) -> bool:
        """Return whether content is kept beside the chain, encrypted."""
        return self._settings.keeps_content

    def keep_content(self, subject: str, decision: str, content: Record) -> None:
        """Keep the content of a call about a subject, redacted and encrypted; what cannot be kept is counted."""
        try:
            redacted = content if self._settings.redact is None else redact_texts(content, self._settings.redact)
        except Exception as error:  # the application's own function
            drop_counts.count("ledger_content", "unredacted")
            if not self._is_redactor_failing:  # once; its message may quote what it was to redact
                _log.warning("the redactor failed (%s); the content of such calls is not kept", type(error).__name__)
            self._is_redactor_failing = True
            return
        try:
            self._content.keep(subject, decision, redacted)
        except OSError as error:
            drop_counts.count("ledger_content", files.reason_of(error))

    def _tidy(self) -> None:
        """Remove segments that are old, or that there is no room for, once every backend has them."""
        keys = (*listed_keys(self._folder), self._signer.public_key)
        self._content.expire(time.time() - self._settings.keep_s)
        expire(self._settings, keys, [each.name for each in self._shippers], partial(self.append_control, EXPIRY))

    def accounts(self) -> dict[str, Any]:
        """Return how many decisions were attempted, recorded, and dropped by reason, in this process."""
        return self._writer.accounts()

    def outages_s(self) -> dict[str, float]:
        """Return by backend the seconds for which it has not taken what there is; 0 while it does."""
        return {shipper.name: shipper.outage_s for shipper in self._shippers}

    def force_flush(self, timeout_s: float) -> bool:
        """Have everything written outlast a power cut, and delivered; return False where that failed in the time."""
        deadline_s = time.monotonic() + timeout_s
        flushed = [self._writer.flush(), *(shipper.flush() for shipper in self._shippers)]
        return all(event.wait(max(0.0, deadline_s - time.monotonic())) for event in flushed)

    def shutdown(self, timeout_s: float) -> None:
        """End the stream, and deliver; records that come later are dropped, what no backend took stays."""
        deadline_s = time.monotonic() + timeout_s
        self._writer.shutdown(timeout_s / 2)  # a disk that hangs leaves backends the rest
        for shipper in self._shippers:  # all of them first, so that one that hangs takes no time from the others
            shipper.close()
        for shipper in self._shippers:
            shipper.shutdown(max(0.0, deadline_s - time.monotonic()))


def open_ledger(settings: LedgerSettings, environ: Mapping[str, str] = os.environ) -> DecisionLedger:
    """Return the ledger of a folder, made where it is not there.

    Raises:
        ConfigurationError: the folder cannot be made, or there is no key to sign with.
        MissingDependency: `cryptography` is not installed.
    """
    try:
        files.make_folder(settings.folder)
        signer = load_signer(environ, settings.folder)
    except OSError as error:
        problem = Problem(
            f"the ledger cannot be made: {error.strerror or error}", "Check the path and its permissions."
        )
        raise ConfigurationError(str(settings.folder), problem) from error
    try:
        publish_key(settings.folder, signer.public_key)
    except OSError as error:  # the disk may come back: what is lost until then is counted
        contain("ledger.publish_key", error)
    try:
        recover_streams(settings, signer)
    except Exception as error:
        contain("ledger.recover", error)
    return DecisionLedger(settings, signer)


def _body(record: Record) -> bytes:
    return canonical_json({**record, "time_unix_nano": str(record["time_unix_nano"])})
