"""Fixtures: a pipeline with the real recorder and an exporter in memory."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest
from ended_spans import Spans
from generated_words import Words
from openai_responses import Respond, respond_async, respond_sync
from openai_wire import Ask, ask_async, ask_sync

from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.install import instrument, uninstrument
from specspan.record.recorder import Recorder
from specspan.record.settings import Content, Settings


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Leave what is still there, such as clients that a test imported, out of what later tests collect: many do."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Spans of a pipeline without an engine, active during the test."""
    yield from _recorded(Settings())


@pytest.fixture
def content_spans() -> Iterator[Spans]:
    """The same, with prompts and answers on the spans."""
    yield from _recorded(Settings(content=Content.SPAN_ONLY))


_LATE = "Processor is already shutdown, ignoring call"


@pytest.fixture(autouse=True)
def nothing_logged(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is logged as a warning or worse: no context that could not be detached, no failure of specspan's."""
    yield
    records = [*caplog.get_records("call"), *caplog.records]
    expected = "specspan failed in" if "in_production" in request.fixturenames else None
    unexpected = [
        message
        for record in records
        if record.levelno >= logging.WARNING
        for message in [record.getMessage()]
        if expected is None or not message.startswith(expected)
    ]
    assert unexpected == []


@pytest.fixture
def in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of specspan's own are counted and logged, and not raised."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")


@pytest.fixture
def openai_instrumented() -> Iterator[None]:
    """The ``openai`` client is instrumented during the test."""
    instrument("openai")
    yield
    uninstrument()


@pytest.fixture(params=[ask_sync, ask_async], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Asks through the sync and through the async client."""
    found: Ask = request.param
    return found


def _recorded(settings: Settings) -> Iterator[Spans]:
    recorded = Spans()
    activate(Pipeline(Recorder(settings, tracer_provider=recorded.provider)))
    yield recorded
    activate(None)


@pytest.fixture
def anthropic_instrumented() -> Iterator[None]:
    """The ``anthropic`` client is instrumented during the test."""
    instrument("anthropic")
    yield
    uninstrument()


@pytest.fixture
def bedrock_instrumented() -> Iterator[None]:
    """The ``botocore`` client is instrumented during the test."""
    instrument("bedrock")
    yield
    uninstrument()


@pytest.fixture
def google_instrumented() -> Iterator[None]:
    """The ``google-genai`` client is instrumented during the test."""
    instrument("google")
    yield
    uninstrument()


@pytest.fixture
def mistral_instrumented() -> Iterator[None]:
    """The ``mistralai`` client is instrumented during the test."""
    instrument("mistral")
    yield
    uninstrument()


@pytest.fixture
def cohere_instrumented() -> Iterator[None]:
    """The ``cohere`` client is instrumented during the test."""
    instrument("cohere")
    yield
    uninstrument()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    """Asks of a test to use the client that blocks, and the one that is awaited."""
    return bool(request.param)


@pytest.fixture
def words(spans: Spans) -> Words:
    """Generators whose spans are recorded."""
    return Words(spans)


@pytest.fixture
def one_generation() -> Iterator[None]:
    """Nothing is collected until the test asks: what is made in it stays in the order in which it was made."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(params=[respond_sync, respond_async], ids=["sync", "async"])
def respond(request: pytest.FixtureRequest) -> Respond:
    """Asks through the sync and through the async client."""
    found: Respond = request.param
    return found
