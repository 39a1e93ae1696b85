"""Settings from the environment."""

from __future__ import annotations

import logging

import pytest

from specspan.record.conventions import Generation
from specspan.record.settings import Content, FindingEvents, Settings


def test_nothing_set_is_the_safe_default() -> None:
    """Without variables no content is recorded, in the current conventions' names."""
    assert Settings.from_env({}) == Settings()
    assert Settings().content is Content.NO_CONTENT


def test_every_variable_is_read() -> None:
    """Values are read whatever their case."""
    found = Settings.from_env(
        {
            "SPECSPAN_SEMCONV": "Both",
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "span_and_event",
            "SPECSPAN_FINDING_EVENTS": "ALL",
            "SPECSPAN_VIOLATIONS_ARE_ERRORS": "true",
            "SPECSPAN_QUEUE_SIZE": "99",
            "SPECSPAN_DIGEST_KEY": "k",
        }
    )
    assert found == Settings(
        generation=Generation.BOTH,
        content=Content.SPAN_AND_EVENT,
        finding_events=FindingEvents.ALL,
        violations_are_errors=True,
        queue_size=99,
        digest_key=b"k",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SPECSPAN_SEMCONV", "newest"),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true"),
        ("SPECSPAN_QUEUE_SIZE", "-1"),
    ],
)
def test_an_unknown_value_is_logged_and_ignored(name: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    """A value that is none of the known ones changes nothing, and a warning names it; content stays off."""
    with caplog.at_level(logging.WARNING, "specspan"):
        assert Settings.from_env({name: value}) == Settings()
    (warning,) = caplog.records
    assert name in warning.getMessage()
    assert repr(value) in warning.getMessage()
