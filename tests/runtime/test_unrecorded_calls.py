"""Calls inside checks, where instrumentation is suppressed, where the SDK is disabled, and after a shutdown."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from opentelemetry.instrumentation.utils import suppress_instrumentation

import specspan
from specspan._support import drop_counts
from specspan.errors import ConfigurationError
from specspan.instrument.gate import activate, active
from specspan.instrument.install import instrument, uninstrument
from specspan.testing import recorded

pytestmark = pytest.mark.usefixtures("nothing_configured")

SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
POLICY = """
spec: manners.md
mode: enforce
clauses:
  be_kind: {action: block, checks: [{pattern: {stage: output, any: ['shut up'], reason: rude}}]}
"""
NESTED = POLICY.replace("{pattern: {stage: output, any: ['shut up'], reason: rude}}", "{code: CHECK}")


@specspan.observe(model="parrot")
def parrot(text: str) -> str:
    return text


@specspan.observe
def work() -> None: ...


@specspan.check("unrecorded_nested", stage="output", version="1", timeout_s=None)
def asks_here(call: specspan.ModelCall) -> bool:
    """Ask a model about an answer."""
    return parrot("shut up") == "shut up"


@specspan.check("unrecorded_nested_timed", stage="output", version="1", timeout_s=5)
def asks_in_time(call: specspan.ModelCall) -> bool:
    """Ask a model about an answer, on a thread of specspan's."""
    return parrot("shut up") == "shut up"


@specspan.check("unrecorded_nested_thread", stage="output", version="1", timeout_s=None)
def asks_on_a_thread(call: specspan.ModelCall) -> bool:
    """Ask a model about an answer, on a thread of the check's own."""
    answers: list[str] = []
    thread = threading.Thread(target=lambda: answers.append(parrot("shut up")))
    thread.start()
    thread.join()
    return answers == ["shut up"]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy that blocks rude answers."""
    return policy_file(tmp_path, POLICY)


@pytest.fixture
def threads_instrumented() -> Iterator[None]:
    """What is in force is in force in threads, too."""
    instrument("threading")
    yield
    uninstrument()


def policy_file(folder: Path, policy: str) -> Path:
    """Return the path of a policy that is written beside its spec."""
    (folder / "manners.md").write_text(SPEC)
    (folder / "policy.yaml").write_text(policy)
    return folder / "policy.yaml"


def counted(kind: str, reason: str) -> int:
    """Return how many calls the process has counted so far."""
    return drop_counts.totals().get((kind, reason), 0)


@pytest.mark.usefixtures("threads_instrumented")
@pytest.mark.parametrize("check", ["unrecorded_nested", "unrecorded_nested_timed", "unrecorded_nested_thread"])
def test_a_call_inside_a_check_is_recorded_and_not_decided(check: str, tmp_path: Path) -> None:
    """The call of the application has a decision, and that of its check only a span."""
    with recorded(policy_file(tmp_path, NESTED.replace("CHECK", check))) as what:
        assert parrot("hello") == "hello"
        spans, decisions = what.spans, what.decisions
    decided = ["specspan.decision.id" in (span.attributes or {}) for span in spans]
    assert (decided, [each["verdict"] for each in decisions]) == ([False, True], ["complied"])


def test_a_suppressed_call_is_enforced_without_a_span(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its decision is recorded, each call is counted and the first one is logged; work is left alone."""
    before = counted("call", "suppressed")
    with recorded(policy) as what, suppress_instrumentation():
        work()
        for _ in range(2):
            with pytest.raises(specspan.Blocked):
                parrot("shut up")
        assert (what.spans, [each["action"] for each in what.decisions]) == ((), ["block", "block"])
    assert counted("call", "suppressed") - before == 2
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "suppressed: model calls are enforced, and make no spans" in record.getMessage()


def test_a_suppressed_tool_is_enforced(tmp_path: Path) -> None:
    """A tool that the policy forbids does not run where instrumentation is suppressed."""
    tools = POLICY.replace("{pattern: {stage: output, any: ['shut up'], reason: rude}}", "{tools: {allow: [search]}}")
    with recorded(policy_file(tmp_path, tools)), suppress_instrumentation():
        with pytest.raises(specspan.Blocked), specspan.tool_call("refund", {}):
            raise AssertionError("the tool ran")
        with specspan.tool_call("search", {}):
            pass


def test_a_suppressed_call_is_left_alone_where_that_is_asked_for(
    policy: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under SPECSPAN_WHEN_SUPPRESSED=leave nothing is enforced; it is counted, and the log says so once."""
    monkeypatch.setenv("SPECSPAN_WHEN_SUPPRESSED", "leave")
    specspan.configure(policy)
    before = counted("enforcement", "suppressed")
    with suppress_instrumentation():
        assert [parrot("shut up"), parrot("shut up")] == ["shut up", "shut up"]
    assert counted("enforcement", "suppressed") - before == 2
    assert ["neither recorded nor enforced" in record.getMessage() for record in caplog.records] == [True]
    with pytest.raises(specspan.Blocked):
        parrot("shut up")


def test_a_suppressed_call_is_left_alone_in_observe_mode(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is enforced there: the call is neither recorded nor decided, and counted."""
    before = counted("call", "suppressed")
    with recorded(policy, mode="observe") as what, suppress_instrumentation():
        assert parrot("shut up") == "shut up"
        assert (what.spans, what.decisions) == ((), ())
    assert counted("call", "suppressed") - before == 1
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_change_of_the_policy_does_not_log_it_again(policy: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A reloaded policy goes on where the one before it was; another configuration says it anew."""
    with recorded(policy):
        pipeline = active()
        assert pipeline is not None
        for _ in range(2):
            with suppress_instrumentation(), pytest.raises(specspan.Blocked):
                parrot("shut up")
            activate(replace(pipeline))
        assert len(caplog.records) == 1
    with recorded(policy), suppress_instrumentation(), pytest.raises(specspan.Blocked):
        parrot("shut up")
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("mode", "word", "message"),
    [
        ("enforce", "enforce", "enforced, and make no spans"),
        ("enforce", "leave", "neither recorded nor enforced"),
        ("observe", "enforce", None),
    ],
)
def test_a_disabled_sdk_is_logged_and_counted(
    mode: str,
    word: str,
    message: str | None,
    policy: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OTEL_SDK_DISABLED says at once what becomes of calls: a warning where a policy is in enforce mode."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("SPECSPAN_WHEN_SUPPRESSED", word)
    specspan.configure(policy, mode=mode)
    kind = "enforcement" if (mode, word) == ("enforce", "leave") else "call"
    before = counted(kind, "disabled")
    parrot("hello")
    parrot("hello")
    assert counted(kind, "disabled") - before == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == (message is not None)
    assert message is None or message in warnings[0]


@pytest.mark.parametrize(
    ("mode", "word", "message"),
    [
        ("enforce", "enforce", "enforced, and make no spans"),
        ("enforce", "leave", "neither recorded nor enforced"),
        ("observe", "enforce", None),
    ],
)
def test_calls_after_a_shutdown_are_counted_and_logged_once(
    mode: str,
    word: str,
    message: str | None,
    policy: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shutdown ends the recording, and lifts a policy in enforce mode only where a variable says so."""
    monkeypatch.setenv("SPECSPAN_WHEN_SUPPRESSED", word)
    specspan.configure(policy, mode=mode)
    kind = "enforcement" if (mode, word) == ("enforce", "leave") else "call"
    before = counted(kind, "shutdown")
    specspan.shutdown()
    specspan.shutdown()
    for _ in range(2):
        if (mode, word) == ("enforce", "enforce"):
            with pytest.raises(specspan.Blocked):
                parrot("shut up")
        else:
            assert parrot("shut up") == "shut up"
    assert counted(kind, "shutdown") - before == 2
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == (message is not None)
    assert message is None or message in warnings[0]


def test_what_is_enforced_after_a_shutdown_is_lifted_by_taking_the_instrumentation_back(policy: Path) -> None:
    """`uninstrument` lifts it, also from decorated functions, and says so in the counts."""
    specspan.configure(policy)
    specspan.uninstrument()
    with pytest.raises(specspan.Blocked):
        parrot("shut up")
    specspan.shutdown()
    specspan.uninstrument()
    before = counted("enforcement", "shutdown")
    assert parrot("shut up") == "shut up"
    assert counted("enforcement", "shutdown") - before == 1


def test_another_configuration_takes_over_after_a_shutdown(policy: Path) -> None:
    """The policy of the new configuration is in force, and no longer the one before it."""
    specspan.configure(policy)
    specspan.shutdown()
    specspan.configure(policy, mode="observe")
    assert parrot("shut up") == "shut up"


def test_a_policy_is_enforced_to_the_end_of_the_process(policy: Path) -> None:
    """Functions that the interpreter calls after specspan's own exit function are still held."""
    script = f"""
import atexit, specspan

@specspan.observe(model="parrot")
def parrot(text): return text

def last():
    try:
        print(parrot("shut up"))
    except specspan.Blocked:
        print("blocked")

atexit.register(last)
specspan.configure({str(policy)!r})
"""
    run = subprocess.run([sys.executable, "-c", script], check=True, cwd=policy.parent, capture_output=True, text=True)
    assert run.stdout == "blocked\n"
    assert "specspan is shut down: model calls are enforced" in run.stderr


def test_an_unknown_word_is_refused(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable, the word and the words there are."""
    monkeypatch.setenv("SPECSPAN_WHEN_SUPPRESSED", "maybe")
    with pytest.raises(ConfigurationError, match="unknown word 'maybe'") as refused:
        specspan.configure(policy)
    assert all(words in str(refused.value) for words in ("SPECSPAN_WHEN_SUPPRESSED", "Use enforce or leave"))
