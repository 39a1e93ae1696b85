"""Decision exporter that sends decision records to any OTLP receiver as log records, over HTTP.

OpenTelemetry's own exporter of log records tells nobody what became of a batch. This one raises until the receiver has
acknowledged it, so that a ledger hands it over again; what the receiver rejects in part is counted and not sent again.
Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp.
"""

from __future__ import annotations

import gzip
import json
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from specspan._support import drop_counts
from specspan.errors import ConfigurationError, Problem
from specspan.record import conventions as names
from specspan.version import __version__

if TYPE_CHECKING:
    from requests import Response

_log = logging.getLogger("specspan")
MAX_BYTES: Final = 3_500_000
"""Size of a request before compression: receivers commonly refuse more than 4 MiB."""
_RETRYABLE: Final = frozenset((429, 502, 503, 504))
_TOO_LARGE: Final = 413
_TIMEOUT_S: Final = 10.0
_LONGEST_S: Final = 300.0
_UID: Final = "log.record.uid"
_MEMBERS: Final = (
    ("id", names.DECISION_ID),
    ("verdict", names.DECISION_VERDICT),
    ("action", names.DECISION_ACTION),
    ("mode", names.DECISION_MODE),
    ("would", names.DECISION_WOULD),
    ("governing_clause", names.DECISION_GOVERNING_CLAUSE),
    ("reason", names.DECISION_REASON),
)
_SOUND: Final = ("complied", "unassessed")
_EVENT_NAMES: Final = {
    "decision": names.DECISION_RECORD,
    "policy": names.POLICY_RECORD,
    "finding": names.FINDING_RECORD,
}


class Unacknowledged(Exception):
    """Batch that the receiver did not acknowledge."""

    def __init__(self, problem: str, *, is_temporary: bool, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.is_temporary = is_temporary
        """True where the same batch may well be taken later."""
        self.retry_after_s = retry_after_s
        """Seconds that the receiver asks to be left alone for; None where it does not say."""


class OTLPDecisionExporter:
    """Exporter of decision and policy records to the endpoint of OpenTelemetry's own variables."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        """Read ``OTEL_EXPORTER_OTLP_ENDPOINT``, ``_HEADERS``, ``_TIMEOUT`` and ``_CERTIFICATE``, or those for logs.

        Raises:
            ConfigurationError: there is no endpoint.
        """
        from requests import Session

        self._url = _endpoint(environ)
        self._timeout_s = _timeout_s(_variable(environ, "TIMEOUT"))
        self._session = Session()
        self._session.verify = _variable(environ, "CERTIFICATE") or True
        self._session.headers.update(_headers(_variable(environ, "HEADERS") or ""))
        self._session.headers.update({"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"})

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Send records in requests of at most `MAX_BYTES`.

        Raises:
            Unacknowledged: the receiver did not take a request; those before it are taken.
        """
        for request in _requests(records):
            self._send(request)

    def shutdown(self) -> None:
        """Close the connections to the receiver."""
        self._session.close()

    def _send(self, records: Sequence[Mapping[str, Any]]) -> None:
        from requests import RequestException

        body = gzip.compress(_encode(records), compresslevel=1)
        try:
            response = self._session.post(self._url, data=body, timeout=self._timeout_s, allow_redirects=False)
        except RequestException as error:
            raise Unacknowledged(f"no answer: {type(error).__name__}", is_temporary=True) from None
        if response.status_code == _TOO_LARGE and len(records) > 1:
            middle = len(records) // 2
            self._send(records[:middle])
            self._send(records[middle:])
        elif response.ok and not response.is_redirect:
            _note_rejected(response, records)
        else:
            raise _refusal(response)


def _refusal(response: Response) -> Unacknowledged:
    status = response.status_code
    if 300 <= status < 400:
        return Unacknowledged(f"it answered {status}, a redirect: set the endpoint to it", is_temporary=True)
    retry_after_s = _retry_after_s(response.headers.get("Retry-After"))
    return Unacknowledged(f"it answered {status}", is_temporary=status in _RETRYABLE, retry_after_s=retry_after_s)


def _note_rejected(response: Response, records: Sequence[Mapping[str, Any]]) -> None:
    """Count what a receiver took a request without; the protocol has it not sent again."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    try:
        partial = ExportLogsServiceResponse.FromString(response.content).partial_success
    except DecodeError:  # an empty page, or a proxy's: it was taken
        return
    if partial.rejected_log_records:
        count = min(partial.rejected_log_records, len(records))
        drop_counts.count("decision", "rejected", count)
        _log.warning("the OTLP receiver rejected %d of %d records: %s", count, len(records), partial.error_message)
    elif partial.error_message:
        _log.warning("the OTLP receiver warns: %s", partial.error_message)


def _requests(records: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Yield records in groups that each fit into a request; one that does not by itself is a group of its own."""
    group: list[Mapping[str, Any]] = []
    size = 0
    for record in records:
        record_bytes = _size(record)
        if group and size + record_bytes > MAX_BYTES:
            yield group
            group, size = [], 0
        group.append(record)
        size += record_bytes
    if group:
        yield group


def _size(record: Mapping[str, Any]) -> int:
    """Return the bytes of a record, with room for its attributes, most of which are in its text as well."""
    return 2 * len(_text(record)) + 1024


def _text(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def _encode(records: Sequence[Mapping[str, Any]]) -> bytes:
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
    from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    scope = InstrumentationScope(name=names.INSTRUMENTATION_NAME, version=__version__)
    by_service: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        by_service.setdefault(json.dumps(record.get("service") or {}, sort_keys=True), []).append(record)
    resources = []
    for service, of_service in by_service.items():
        values = {f"service.{name}": value for name, value in json.loads(service).items()}
        values["service.instance.id"] = values.pop("service.instance", None)
        logs = ScopeLogs(scope=scope, log_records=map(_log_record, of_service), schema_url=names.SCHEMA_URL)
        resources.append(ResourceLogs(resource=Resource(attributes=_attributes(values)), scope_logs=[logs]))
    data: bytes = ExportLogsServiceRequest(resource_logs=resources).SerializeToString()
    return data


def _log_record(record: Mapping[str, Any]) -> Any:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

    is_fault = record["type"] == "decision" and record.get("verdict") not in _SOUND
    return LogRecord(
        time_unix_nano=record["time_unix_nano"],
        observed_time_unix_nano=time.time_ns(),
        severity_number=SeverityNumber.SEVERITY_NUMBER_WARN if is_fault else SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="WARN" if is_fault else "INFO",
        body=AnyValue(string_value=_text(record)),
        attributes=_attributes(_values(record)),
        trace_id=bytes.fromhex(record.get("trace_id", "")),
        span_id=bytes.fromhex(record.get("span_id", "")),
        event_name=_EVENT_NAMES.get(record["type"], f"specspan.{record['type']}"),
    )


def _values(record: Mapping[str, Any]) -> dict[str, Any]:
    if record["type"] == "finding":
        return {_UID: record["id"], names.DECISION_ID: record["decision"]}
    values = {_UID: record["id"]}
    if record["type"] == "decision":
        values.update({name: record.get(member) for member, name in _MEMBERS})
        values[names.POLICY_DIGEST] = record.get("policy", {}).get("digest")
        violated = [each["clause"] for each in record.get("findings", ()) if each["outcome"] == "violated"]
        values[names.CLAUSES_VIOLATED] = list(dict.fromkeys(violated)) or None
    return values


def _attributes(values: Mapping[str, Any]) -> list[Any]:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

    def any_value(value: Any) -> Any:
        if isinstance(value, list):
            return AnyValue(array_value=ArrayValue(values=map(any_value, value)))
        return AnyValue(string_value=str(value))

    return [KeyValue(key=name, value=any_value(value)) for name, value in values.items() if value is not None]


def _variable(environ: Mapping[str, str], name: str) -> str | None:
    for variable in (f"OTEL_EXPORTER_OTLP_LOGS_{name}", f"OTEL_EXPORTER_OTLP_{name}"):
        if value := environ.get(variable, "").strip():
            return value
    return None


def _endpoint(environ: Mapping[str, str]) -> str:
    if whole := environ.get("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "").strip():
        return whole
    if base := environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip():
        return f"{base.rstrip('/')}/v1/logs"
    problem = Problem("missing endpoint", "Set it to an OTLP receiver, such as http://localhost:4318.")
    raise ConfigurationError("OTEL_EXPORTER_OTLP_ENDPOINT", problem)


def _headers(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {unquote(name).strip(): unquote(value).strip() for name, _, value in pairs}


def _timeout_s(text: str | None) -> float:
    try:
        return float(text) if text else _TIMEOUT_S
    except ValueError:
        return _TIMEOUT_S


def _retry_after_s(text: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``, a number or a date (RFC 9110, 10.2.3), five minutes at most."""
    if not text:
        return None
    try:
        seconds = float(text) if text.strip().isdecimal() else parsedate_to_datetime(text).timestamp() - time.time()
    except (TypeError, ValueError):
        return None
    return min(max(0.0, seconds), _LONGEST_S)
