"""The link from the terminal to a trace, as its user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
JAEGER = "http://jaeger.example/trace/{trace_id}?uiFind={span_id}"
LINK = f"http://jaeger.example/trace/2{'0' * 31}?uiFind={'0' * 15}2"


@pytest.mark.parametrize(
    "command", [("traces", "show", "2"), ("decisions", "show", "0198c2f4-7a3b-7000-8000-000000000002")]
)
def test_what_is_shown_ends_with_its_link(
    specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """The variable names the page; the trace and the span of its worst decision are put into it."""
    monkeypatch.setenv("SPECSPAN_TRACE_URL", JAEGER)
    assert specspan(*command, "--db", recorded).out.splitlines()[-1] == LINK


def test_nothing_is_linked_unasked(specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable, or with an empty one, no address is made up."""
    for value in (None, " "):
        monkeypatch.delenv("SPECSPAN_TRACE_URL", raising=False)
        if value is not None:
            monkeypatch.setenv("SPECSPAN_TRACE_URL", value)
        assert "://" not in specspan("traces", "show", "2", "--db", recorded).out
        assert "url" not in json.loads(specspan("traces", "show", "2", "--json", "--db", recorded).out)


def test_json_holds_the_link(specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads the trace finds its page under ``url``."""
    monkeypatch.setenv("SPECSPAN_TRACE_URL", JAEGER)
    assert json.loads(specspan("traces", "show", "2", "--json", "--db", recorded).out)["url"] == LINK


@pytest.mark.parametrize("template", ["http://jaeger.example", "http://x/{trace_id}/{user}", "http://x/{trace_id!r}"])
def test_an_address_without_a_place_for_the_trace_is_refused(
    specspan: Run, recorded: Path, monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    """The message names the variable, what it holds and an address that works."""
    monkeypatch.setenv("SPECSPAN_TRACE_URL", template)
    ran = specspan("traces", "show", "2", "--db", recorded)
    assert ran.code != 0
    assert all(part in ran.err for part in ("SPECSPAN_TRACE_URL", template, "http://localhost:16686/trace/{trace_id}"))
