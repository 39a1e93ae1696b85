"""A process in which no thread can be started: `configure` and every call go on, and what is recorded is written."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import opentelemetry.sdk._logs  # noqa: F401 - OpenTelemetry starts threads when it is imported
import pytest
from openai_wire import Wire, completion
from policies import Code, bound, pattern, policy

import specspan
from specspan._support import background, drop_counts
from specspan.decision import Action, Mode, Outcome, Stage
from specspan.sqlite import Reader

RULES = policy(
    bound("secrets", pattern("FORBIDDEN", stage=Stage.INPUT), action=Action.BLOCK),
    bound("timed", Code(lambda call, texts: "refuse" not in call.output_text, Stage.OUTPUT, 60.0), action=Action.BLOCK),
    mode=Mode.ENFORCE,
)
POLICY = """
spec: spec.md
mode: enforce
clauses:
  polite:
    checks: [{pattern: rude}]
"""
SPEC = "---\nid: s\nladder: [platform]\n---\n# A {#a}\n\n## Polite {#polite authority=platform}\n\nBe polite.\n"


@pytest.fixture(autouse=True)
def no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    monkeypatch.setattr(background, "_logged", set())


def ask(text: str = "hi", answer: str = "hello") -> None:
    with Wire(completion(answer)).sync_client() as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])


def test_calls_are_decided_enforced_and_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A decision is on disk when its call is over; checks with a time limit run; each lack is logged once."""
    lost = drop_counts.totals()
    specspan.configure(RULES, db=tmp_path / "specspan.db")
    specspan.instrument("openai")
    try:
        ask()
        with pytest.raises(specspan.Blocked):
            ask("FORBIDDEN")
        with pytest.raises(specspan.Blocked):
            ask(answer="I refuse")
        with Reader(tmp_path / "specspan.db") as reader:
            decisions = reader.decisions()
        assert sorted(decision["verdict"] for decision in decisions) == ["complied", "violated", "violated"]
        assert specspan.force_flush(30)
        with Reader(tmp_path / "specspan.db") as reader:
            assert len(reader.traces()) == 3
    finally:
        specspan.uninstrument()
        specspan.shutdown()
    assert drop_counts.totals() == lost
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == len(set(said))
    assert all(message.startswith("no thread can be started (can't start new thread): ") for message in said)


def test_a_check_that_took_too_long_is_out_of_time(tmp_path: Path) -> None:
    """On the caller's thread it is not cut off, and what it says then does not count."""
    late = Code(lambda call, texts: threading.Event().wait(0.05), Stage.OUTPUT, 0.01)
    rules = policy(bound("late", late), bound("next", Code(lambda call, texts: True, Stage.OUTPUT, 60.0)))
    specspan.configure(rules, db=tmp_path / "specspan.db")
    specspan.instrument("openai")
    try:
        ask()
    finally:
        specspan.uninstrument()
        specspan.shutdown()
    with Reader(tmp_path / "specspan.db") as reader:
        (decision,) = reader.decisions()
    outcomes = {finding["clause"]: finding["outcome"] for finding in decision["findings"]}
    assert outcomes["late"] == Outcome.ERROR.value


def test_a_policy_that_is_to_be_reloaded_is_in_force(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """That its changes are not noticed is logged."""
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "spec.md").write_text(SPEC, encoding="utf-8")
    specspan.configure(tmp_path / "policy.yaml", reload=True, db=tmp_path / "specspan.db")
    specspan.shutdown()
    assert "changes of the policy's files are not noticed" in caplog.text


def test_opentelemetrys_exporters_export_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Those of another make than specspan's have a processor without a thread; metrics go when they are flushed."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "console")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "console")
    monkeypatch.setenv("SPECSPAN_DECISION_EXPORTER", "none")
    specspan.configure(RULES)
    specspan.instrument("openai")
    try:
        ask()
    finally:
        specspan.uninstrument()
        specspan.shutdown()
    for instead in ("spans are exported as they end", "metrics are exported when", "log records are exported as"):
        assert instead in caplog.text
