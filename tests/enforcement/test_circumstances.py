"""Enforcement in checks, suppressed, disabled, after a shutdown and of answers cut short (parts 1, 5, 11)."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from enforcement_http import Service
from enforcement_output import Output
from enforcement_policies import policy_file
from enforcement_runner import Leak, call, decisions_of
from enforcement_table import AFTER, BEFORE, WORD, cases, wire_of
from enforcement_wire_openai_chat import RESOURCE, WIRE

import specspan
from specspan.testing import recorded

ASKED = RESOURCE.asked
_OWN_CLAUSE: dict[str, Any] = {"checks": [{"code": "enforcement_asks_a_model"}]}
_asks: list[Callable[[], Any]] = []


@specspan.check("enforcement_asks_a_model", stage="output", version="1", timeout_s=None)
def asks_a_model(call: specspan.ModelCall) -> bool:
    """Ask a model about an answer, as a judge of the application's own does."""
    _asks[-1]()
    return True


@specspan.check("enforcement_asks_a_model_timed", stage="output", version="1", timeout_s=5)
def asks_a_model_in_time(call: specspan.ModelCall) -> bool:
    """Ask a model about an answer, on a thread of its own."""
    _asks[-1]()
    return True


@specspan.check("enforcement_timed", stage="output", version="1", timeout_s=5)
def finds_the_word(call: specspan.ModelCall) -> bool:
    """Look for the word on a thread of its own."""
    return WORD not in (call.output_text or "")


class TooMany(Exception):
    """A check asked again and again."""


@pytest.mark.parametrize("name", cases("checks", ["enforcement_asks_a_model", "enforcement_asks_a_model_timed"], Leak))
def test_a_check_that_asks_a_model_is_not_judged_itself(name: str) -> None:
    """One call of the application makes two requests: its own, and that of the check."""
    service = Service(WIRE.encode(WIRE.answer(BEFORE)))
    asked: list[None] = []

    def ask() -> None:
        asked.append(None)
        if len(asked) > 8:
            raise TooMany
        RESOURCE.sync(service).create(**ASKED)

    _asks.append(ask)
    with recorded(policy_file("block", {"checks": [{"code": name}]}, {})) as record:
        call(WIRE.modes["plain"], service, {})
        decisions = decisions_of(record)
    _asks.pop()
    if len(service.requests) != 2 or len(decisions) != 1:
        raise Leak(f"{len(service.requests)} requests, {len(decisions)} decisions")


def _answer(text: str = BEFORE + WORD) -> Output:
    return call(WIRE.modes["plain"], Service(WIRE.encode(WIRE.answer(text))), {})


def _is_enforced(output: Output) -> bool:
    return isinstance(output.error, specspan.Blocked) and not output.has(WORD)


@pytest.mark.parametrize("name", cases("suppressed", ["utils", "http"], Leak))
def test_suppressed_instrumentation_does_not_lift_enforcement(name: str) -> None:
    """In enforce mode a call is decided where the telemetry of others is suppressed."""
    from opentelemetry.instrumentation import utils

    suppress = utils.suppress_instrumentation if name == "utils" else utils.suppress_http_instrumentation
    with recorded(policy_file("block", {}, {})), suppress():
        output = _answer()
    if not _is_enforced(output):
        raise Leak(f"came out: {output.places}, {output.error!r:.100}")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Configures specspan as an application does, with a database in a folder of the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPECSPAN_DB", str(tmp_path / "specspan.db"))

    def configure() -> None:
        specspan.configure(policy_file("block", {}, {}))

    yield configure
    specspan.shutdown()


@pytest.mark.parametrize("name", cases("disabled", ["sdk"], Leak))
def test_a_disabled_sdk_does_not_lift_enforcement(
    name: str, configured: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``OTEL_SDK_DISABLED`` switches recording off, and a policy in enforce mode is enforced."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    configured()
    output = _answer()
    if not _is_enforced(output):
        raise Leak(f"came out: {output.places}, {output.error!r:.100}")


@pytest.mark.parametrize("name", cases("disabled-said", ["sdk"], Leak))
def test_a_disabled_sdk_is_said_in_the_log(
    name: str, configured: Callable[[], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Recording that is switched off is said in the log, once."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with caplog.at_level(logging.WARNING, "specspan"):
        configured()
        _answer()
        _answer()
    if len(caplog.records) != 1:
        raise Leak(f"{len(caplog.records)} messages in the log")


@pytest.mark.parametrize("name", cases("shutdown", ["call"], Leak))
def test_a_shutdown_does_not_lift_enforcement(
    name: str, configured: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    """After ``specspan.shutdown()`` a call is enforced, and the log says once that it is not recorded."""
    configured()
    with caplog.at_level(logging.WARNING, "specspan"):
        specspan.shutdown()
        outputs = [_answer(), _answer()]
    if not all(map(_is_enforced, outputs)) or len(caplog.records) != 1:
        raise Leak(f"came out: {outputs[0].places}; {len(caplog.records)} messages in the log")


@pytest.mark.parametrize("name", cases("loops", ["asyncio", "by_hand", "trio"], Leak))
def test_a_timed_check_waits_with_whatever_loop_runs(name: str) -> None:
    """A check on a thread stops the call, and raises nothing else, under every event loop and under none."""

    @specspan.observe(model="parrot")
    async def parrot() -> str:
        return BEFORE + WORD

    output = Output()
    with recorded(policy_file("block", {"checks": [{"code": "enforcement_timed"}]}, {})) as record:
        try:
            output.take(_run(name, parrot))
        except Exception as error:
            output.error = error
        decisions = decisions_of(record)
    if not _is_enforced(output) or [each["verdict"] for each in decisions] != ["violated"]:
        raise Leak(f"came out: {output.places}, {output.error!r:.200}, {[each['verdict'] for each in decisions]}")


def _run(name: str, function: Callable[[], Any]) -> Any:
    if name == "asyncio":
        return asyncio.run(function())
    if name == "trio":
        return pytest.importorskip("trio").run(function)
    coroutine = function()
    while True:
        try:
            coroutine.send(None)
        except StopIteration as ended:
            return ended.value


WIRES = ("openai_chat", "anthropic", "openai_responses", "bedrock_converse", "google", "mistral", "cohere", "ollama")


def _decision(wire_name: str, ending: str | None) -> Mapping[str, Any]:
    """Return the decision of a stream that is read whole, or let go of before a chunk with a finish reason."""
    wire = wire_of(wire_name)
    service = Service(wire.encode(wire.stream(BEFORE, AFTER)), is_stream=True)

    class _Stop(Exception):
        """Ends a loop over a stream early."""

    class _Early(Output):
        def take(self, value: Any) -> None:
            super().take(value)
            if len(self.chunks) > 2 or (wire_name in ("google", "ollama") and self.chunks):
                raise _Stop

    with recorded(policy_file("block", {}, {})) as record:
        output = _Early() if ending else Output()
        try:
            wire.modes["stream"](service, output, {})
        except _Stop as stopped:
            stopped.__traceback__ = None
        gc.collect()
        (decision,) = decisions_of(record)
    return decision


_TOLD_APART = {"id", "time_unix_nano", "trace_id", "span_id", "call", "findings", "service"}


@pytest.mark.parametrize("name", cases("cut-short", [f"{wire}-abandoned" for wire in WIRES], Leak))
def test_an_answer_cut_short_is_told_apart(name: str) -> None:
    """The record of a stream that the application let go of differs from that of one that it read to its end."""
    wire, _, ending = name.partition("-")
    whole, short = _decision(wire, None), _decision(wire, ending)
    alike = [key for key in whole if key not in _TOLD_APART and whole[key] == short[key]]
    if len(alike) == len(set(whole) - _TOLD_APART):
        raise Leak(f"both are recorded as {short['verdict']}, {short['action']}, {short['reason']}")
