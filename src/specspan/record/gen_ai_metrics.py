"""The GenAI conventions' own client metrics, in the generation asked for."""

from __future__ import annotations

from opentelemetry.context import Context
from opentelemetry.metrics import Histogram, Meter

from specspan.record import attributes
from specspan.record import conventions as names
from specspan.record.attributes import Attributes
from specspan.record.conventions import Generation
from specspan.record.model import Ended

_TOKEN_TYPES = {names.USAGE_INPUT_TOKENS: "input", names.USAGE_OUTPUT_TOKENS: "output"}
_SPAN_USAGE_PREFIX = "gen_ai.usage."


class GenAiMetrics:
    """Duration, tokens and time to the first chunk of model calls."""

    def __init__(self, meter: Meter, generation: Generation) -> None:
        self._generation = generation
        self._operation = _seconds(meter, names.METRIC_OPERATION_DURATION, "GenAI operation duration.")
        self._operation_first_chunk = _seconds(
            meter, names.METRIC_OPERATION_TIME_TO_FIRST_CHUNK, "Time to receive the first chunk of a stream."
        )
        self._inference = _seconds(meter, names.METRIC_INFERENCE_DURATION, "GenAI client inference duration.")
        self._inference_first_chunk = _seconds(
            meter, names.METRIC_INFERENCE_TIME_TO_FIRST_CHUNK, "Time to receive the first chunk of a stream."
        )
        self._tokens = meter.create_histogram(
            names.METRIC_TOKEN_USAGE,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=names.TOKEN_BUCKETS,
        )
        self._usage = {
            name: meter.create_counter(
                names.METRIC_INFERENCE_USAGE_PREFIX + name.removeprefix(_SPAN_USAGE_PREFIX),
                "{token}",
                "Number of tokens used.",
            )
            for name in names.USAGE
        }

    def record(self, ended: Ended, context: Context) -> None:
        """Measure of one call what nobody else does."""
        sharing = ended.sharing
        if sharing.duration and sharing.tokens:
            return
        found = _of_call(ended)
        if not sharing.duration:
            self._record_duration(ended, found, context)
        if not sharing.tokens:
            self._record_usage(ended, found, context)

    def _record_duration(self, ended: Ended, found: Attributes, context: Context) -> None:
        inference = ended.call.request.operation in names.INFERENCE_OPERATIONS
        timed = found if ended.error_type is None else found | {names.ERROR_TYPE: ended.error_type}
        first_chunk_s = ended.timing.time_to_first_chunk_s
        if self._generation.current or not inference:
            self._operation.record(ended.timing.duration_s, timed, context)
            if first_chunk_s is not None:
                self._operation_first_chunk.record(first_chunk_s, found, context)
        if self._generation.next and inference:
            self._inference.record(ended.timing.duration_s, timed, context)
            if first_chunk_s is not None:
                self._inference_first_chunk.record(first_chunk_s, found, context)

    def _record_usage(self, ended: Ended, found: Attributes, context: Context) -> None:
        if ended.call.response is None:
            return
        for name, count in attributes.usage(ended.call.response).items():
            if self._generation.current and name in _TOKEN_TYPES:
                self._tokens.record(count, found | {names.TOKEN_TYPE: _TOKEN_TYPES[name]}, context)
            if self._generation.next:
                self._usage[name].add(count, found, context)


def _of_call(ended: Ended) -> Attributes:
    request, response = ended.call.request, ended.call.response
    found: Attributes = {names.OPERATION_NAME: request.operation, names.PROVIDER_NAME: request.provider}
    if request.model is not None:
        found[names.REQUEST_MODEL] = attributes.safe(request.model)
    if response is not None and response.model is not None:
        found[names.RESPONSE_MODEL] = attributes.safe(response.model)
    if request.server_address is not None:
        found[names.SERVER_ADDRESS] = request.server_address
        if request.server_port is not None:
            found[names.SERVER_PORT] = request.server_port
    return found


def _seconds(meter: Meter, name: str, description: str) -> Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS_S)
